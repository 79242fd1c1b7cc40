#!/bin/sh
echo "@GREETING@, ${1:-world}: $(cat /usr/share/words/count 2>/dev/null || cat /out/share/words/count) words"
