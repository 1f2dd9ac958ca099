#compdef consul-ocsp
# consul-ocsp itself says what comes next, as it does for bash; after a folder comes no space.
local -a found
found=(${(f)"$(COMP_LINE="${words[1,CURRENT]}" ${words[1]} 2>/dev/null)"})
compadd -S '' -- ${(M)found:#*/}
compadd -- ${found:#*/}
