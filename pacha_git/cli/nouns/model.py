"""``git pacha model …``."""

from __future__ import annotations

from pacha_git.cli.nouns.card import add_card
from pacha_git.cli.program.grammar import noun, verb
from pacha_git.cli.verbs.change import add_changing
from pacha_git.cli.verbs.read import add_reading
from pacha_git.cli.verbs.register import register
from pacha_git.cli.verbs.take_in import models

app = noun("model", "Models: weights and whatever belongs to them.")
verb(app, "register", register, without=("purpose", "datasheet"))
add_reading(app)
add_changing(app)
add_card(app)
app.add_command(models)
