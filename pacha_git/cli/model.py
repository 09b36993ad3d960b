"""``git pacha model …``."""

from __future__ import annotations

from pacha_git.cli.card import add_card
from pacha_git.cli.changing import add_changing
from pacha_git.cli.grammar import noun, verb
from pacha_git.cli.importing import models
from pacha_git.cli.reading import add_reading
from pacha_git.cli.registering import register, without

app = noun("model", "Models: weights and whatever belongs to them.")
verb(app, "register", without(register, "purpose", "datasheet"))
add_reading(app)
add_changing(app)
add_card(app)
app.add_typer(models)
