"""``git pacha data …``."""

from __future__ import annotations

from pacha_git.cli.nouns.card import add_card
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.verbs.change import add_changing
from pacha_git.cli.verbs.read import add_reading
from pacha_git.cli.verbs.register import register

app = noun("data", "Datasets: files and folders that models learn from.")
verb(app, "register", register, without=("card",))
add_reading(app)
add_changing(app)
add_card(app, "datasheet")
