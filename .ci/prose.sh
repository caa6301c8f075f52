#!/usr/bin/env bash
# prose.sh [PYTHON]: spelling of all files (typos; the words it must accept are in _typos.toml), and grammar of the documents
# (harper). The reference of the commands, docs/reference/cli.md, holds all help texts.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(dirname "$(command -v "${1:-python}")")
PATH="$bin:$PATH"

typos --color never

# Rules of style, and rules that are mostly wrong about the words of this field.
ignored=SpellCheck,SentenceCapitalization,UseTitleCase,OxfordComma,LongSentences,UseEllipsisCharacter,DisjointPrefixes
ignored+=,ExpandMemoryShorthands,ExpandTimeShorthands,ExpandControl,ExpandMinimum,ExpandConfiguration,OrthographicConsistency
ignored+=,DiscourseMarkers,MassNouns,SplitWords,MergeWords,Overall,PronounInflectionBe,ToTwoToo,TheLastDays,InTheFirstPlace
ignored+=,AnA,CommaFixes,Dashes,ExpandDirectory,ExpandStandardInputAndOutput,NumericRangeEnDash,Spaces,CondenseAllThe,CompoundNouns
ignored+=,ThatThan,WrongNegative,MissingTo,MissingPreposition,AvoidAndAlso,QuantifierNumeralConflict
words=$(mktemp)
trap 'rm -f "$words"' EXIT
git ls-files '*.md' | xargs harper --no-color lint --quiet --dialect British --user-dict-path "$words" --format compact --ignore "$ignored"
