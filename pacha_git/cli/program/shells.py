"""The completion scripts of the shells: each calls the program back with what was typed."""

from __future__ import annotations

from typing import Final

_BASH: Final = """\
# Completion of pacha, git-pacha and git pacha for bash: eval "$(git pacha completion bash)"
_pacha_candidates() {
    local IFS=$'\\n' program=git-pacha
    type -P git-pacha >/dev/null || program=pacha
    COMPREPLY=($("$program" @WORD@ line "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null))
}
_pacha() {
    _pacha_candidates
    # A relation wants a SPEC right after its `=`.
    [[ ${#COMPREPLY[@]} != 1 || $COMPREPLY != *= ]] || compopt -o nospace
}
# git's own completion calls this one for `git pacha`; it adds no space after a word by itself.
_git_pacha() {
    _pacha_candidates
    COMPREPLY=("${COMPREPLY[@]/%/ }")
    COMPREPLY=("${COMPREPLY[@]/%= /=}")
}
complete -o bashdefault -o default -F _pacha pacha git-pacha
"""

_ZSH: Final = """\
# Completion of pacha, git-pacha and git pacha for zsh: eval "$(git pacha completion zsh)", after compinit
_pacha() {
    local program=git-pacha
    (( $+commands[git-pacha] )) || program=pacha
    local -a found
    found=(${(f)"$($program @WORD@ words "${(@Q)words[2,CURRENT]}" 2>/dev/null)"})
    if (( $#found )); then
        local -a ready=(${found:#*=}) going=(${(M)found:#*=})
        compadd -a ready
        compadd -S '' -a going
    else
        _files
    fi
}
# zsh's own _git calls this one for `git pacha`, with pacha as the first word.
_git-pacha() { _pacha "$@" }
zstyle ':completion:*:*:git:*' user-commands pacha:'a registry for models, datasets and recipes'
if (( $+functions[compdef] )); then
    compdef _pacha pacha git-pacha
fi
"""

_FISH: Final = """\
# Completion of pacha, git-pacha and git pacha for fish: git pacha completion fish | source
function __pacha_candidates
    set -l words (commandline -opc) (commandline -ct)
    while set -q words[1]; and not string match -qr '(^|/)(git-)?pacha$' -- $words[1]
        set -e words[1]
    end
    set -q words[1]; or return
    set -l program git-pacha
    command -q git-pacha; or set program pacha
    set -l found ($program @WORD@ words $words[2..-1] 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c pacha -f -a '(__pacha_candidates)'
complete -c git-pacha -f -a '(__pacha_candidates)'
complete -c git -n 'contains -- pacha (commandline -opc)' -f -a '(__pacha_candidates)'
"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
