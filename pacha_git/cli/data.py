"""``git pacha data …``."""

from __future__ import annotations

from pacha_git.cli.card import add_card
from pacha_git.cli.changing import add_changing
from pacha_git.cli.grammar import noun, verb
from pacha_git.cli.reading import add_reading
from pacha_git.cli.registering import register, without

app = noun("data", "Datasets: files and folders that models learn from.")
verb(app, "register", without(register, "card"))
add_reading(app)
add_changing(app)
add_card(app, "datasheet")
