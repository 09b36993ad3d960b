#!/bin/sh
# pathspec 1.1.1, GitIgnoreSpec: git never looks into a folder that is ignored, so a later `!dir/**` brings nothing back.
# GitIgnoreSpec says that a file in it is not ignored. The other way round, asked about folders on a walk, it calls every
# folder ignored by `*`, `!*/`, `!*.txt`, where git goes in: a walk that prunes by it misses files that git would add.
set -eu
room=$(mktemp -d)
trap 'rm -rf "$room"' EXIT
python3 -m venv "$room/venv"
"$room/venv/bin/pip" install --quiet --disable-pip-version-check pathspec==1.1.1
git init --quiet "$room/r"
mkdir "$room/r/dir"
touch "$room/r/dir/b.txt"
printf 'dir\n!dir/**\n' > "$room/r/.gitignore"
by_git=$(cd "$room/r" && git check-ignore --quiet dir/b.txt && echo ignored || echo kept)
by_pathspec=$("$room/venv/bin/python" -c '
from pathspec import GitIgnoreSpec
print("ignored" if GitIgnoreSpec.from_lines(["dir", "!dir/**"]).match_file("dir/b.txt") else "kept")')
folder=$("$room/venv/bin/python" -c '
from pathspec import GitIgnoreSpec
print("ignored" if GitIgnoreSpec.from_lines(["*", "!*/", "!*.txt"]).match_file("dir/") else "kept")')
printf '*\n!*/\n!*.txt\n' > "$room/r/.gitignore"
entered=$(cd "$room/r" && git ls-files --others --exclude-standard)
echo "dir, !dir/**: git $by_git, pathspec $by_pathspec; *, !*/, !*.txt: git finds '$entered', pathspec says of dir/: $folder"
[ "$by_git $by_pathspec $entered $folder" = "ignored kept dir/b.txt ignored" ]
