"""The library of JSONata functions that emitted expressions define before their body, each only where it is used.

They exist because JSONata has no counterpart of some Jinja2 operation, or one that differs on some data: a missing
value passes silently, results of one item collapse, lists flatten, `%` takes the sign of the dividend. Bodies hold no
user code, so their parameters may be short. A helper's own name begins with `RESERVED_PREFIX`; AWS refuses variables
that begin with an underscore, and nothing says that local bindings are exempt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

RESERVED_PREFIX = "fn_"

# In the order of dependency: a helper only uses those above it, or itself.
_SOURCES = {
    "need": """function($v,$p){$exists($v)?$v:$error($p & " is not defined")}""",
    "truth": """function($v){$type($v)="array"?$count($v)>0:$boolean($v)}""",
    "get": """function($o,$k){$type($o)="object"?$lookup($o,$k)}""",
    "walk": """function($o,$ks){$reduce($ks,function($o,$k){$type($o)="object"?$lookup($o,$k)},$o)}""",
    "item": """function($o,$i){$type($i)="number"?($i!=$floor($i)?$error("a list index must be an integer")
        :$type($o)="array"?$o[$i]
        :$type($o)="string"?($n:=$length($o);$i<$n and $i>=-$n?$substring($o,$i,1)))
        :$type($i)="string" and $type($o)="object"?$lookup($o,$i)}""",
    "len": """function($v){($t:=$type($v);$t="array"?$count($v):$t="string"?$length($v)
        :$t="object"?$count($keys($v)):$error("length of a value of type "&$t))}""",
    "in": """function($x,$c){($t:=$type($c);$t="array"?true in $map($c,function($e){$e=$x})
        :$t="string"?$contains($c,$x):$t="object"?$type($x)="string" and $exists($lookup($c,$x))
        :$error("in: cannot look inside a value of type "&$t))}""",
    "add": """function($a,$b){($t:=$type($a);$t!=$type($b)?$error("cannot add "&$t&" and "&$type($b))
        :$t="string"?$a&$b:$t="array"?$append($a,$b):$a+$b)}""",
    "div": """function($a,$b){$b=0?$error("division by zero"):$a/$b}""",
    "mod": """function($a,$b){$b=0?$error("modulo by zero"):($m:=$a%$b;$m!=0 and ($m<0)!=($b<0)?$m+$b:$m)}""",
    "floordiv": """function($a,$b){($m:=$fn_mod($a,$b);$q:=$fn_div($a-$m,$b);$f:=$floor($q);$q-$f>0.5?$f+1:$f)}""",
    "box": """function($v){$type($v)="array"?[[$v]]:[$v]}""",
    "unbox": """function($bs){[$map($bs,function($b){$b.v})[]]}""",
    "slice": """function($o,$a,$b){($s:=$type($o)="string";
        $n:=$s?$length($o):$type($o)="array"?$count($o):$error("cannot slice a value of type "&$type($o));
        $x:=$a=null?0:$a<0?$max([0,$n+$a]):$a;$y:=$b=null or $b>$n?$n:$b<0?$n+$b:$b;
        $s?($y>$x?$substring($o,$x,$y-$x):""):[$filter($o,function($v,$i){$i>=$x and $i<$y})[]])}""",
    "list": """function($v){($t:=$type($v);$t="array"?$v
        :$t="string"?($v=""?[]:[$map([0..$length($v)-1],function($i){$substring($v,$i,1)})])
        :$t="object"?[$keys($v)]:$error("cannot iterate over a value of type "&$t))}""",
    "array": """function($v){$type($v)="array"?$v:$error("expected a list, got a value of type "&$type($v))}""",
    "object": """function($v){$type($v)="object"?$v:$error("expected an object, got a value of type "&$type($v))}""",
    "text": """function($v,$m){$type($v)="string"?$v:$error($m&" needs text, got a value of type "&$type($v))}""",
    "number": """function($v){$type($v)="number"?$v:$error("expected a number, got a value of type "&$type($v))}""",
    "fold": """function($v){$type($v)="string"?$lowercase($v):$v}""",
    "json": """function($v){$type($v)="string"?($s:=$string([$v]);$substring($s,1,$length($s)-2)):$string($v)}""",
    "parsed": """function($s){($s:=$replace($s,/^[ \\t\\r\\n]+|[ \\t\\r\\n]+$/,"");
        $contains($s,/^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)?$/)
        ?($n:=$substring($s,0,1)="-";$u:=$contains($s,/^[+-]/)?$substring($s,1):$s;
        $u:=$replace($replace("0"&$u,/[.]$/,""),/[.]([eE])/,"$1");
        $u:=$replace($u,/^0+([0-9])/,"$1");($n?-1:1)*$number($u)))}""",
    "float": """function($v,$d){($t:=$type($v);
        $n:=$t="number"?$v:$t="boolean"?($v?1:0):$t="string"?$fn_parsed($v);$exists($n)?$n:$d)}""",
    "int": """function($v,$d){($n:=$fn_float($v);$exists($n)?($n<0?$ceil($n):$floor($n)):$d)}""",
    "flat": """function($v,$n){$reduce($v,function($a,$x){$append($a,
        $type($x)="array"?($n=1?$x:$fn_flat($x,$n-1)):[$x])},[])}""",
    "key": """function($v,$c){($t:=$type($v);$t="string"?($c?$v:$lowercase($v))
        :$t="array" or $t="object"?$error("cannot compare items of type "&$t):$v)}""",
    "unique": """function($v,$f){$reduce($v,function($a,$x){($k:=$f($x);
        $k in $a.k?$a:{"k":$append($a.k,[$k]),"v":$append($a.v,[$x])})},{"k":[],"v":[]}).v}""",
    "title": """function($s){$reduce($split($s,""),function($a,$x){
        $a&($a="" or $contains(" -([{<\\t\\n\\r\\f\\u000b",$substring($a,-1))?$uppercase($x):$lowercase($x))},"")}""",
    "trim": """function($s){$replace($s,/^[\\t-\\r ]+|[\\t-\\r ]+$/,"")}""",
    "truncate": """function($s,$n,$k,$e,$w){$length($s)<=$n+$w?$s
        :($p:=$substring($s,0,$n-$length($e));($k?$p:$replace($p,/ [^ ]*$/,""))&$e)}""",
    "url": """function($s){$replace($replace($replace($replace($replace($replace($encodeUrlComponent($s),
        "%2F","\\u002f"),"!","%21"),"'","%27"),"(","%28"),")","%29"),"*","%2A")}""",
    "combine": """function($a,$b){$merge([$a,$merge([{},$map($keys($b),function($k){
        {$k:$type($lookup($a,$k))="object" and $type($lookup($b,$k))="object"
        ?$fn_combine($lookup($a,$k),$lookup($b,$k)):$lookup($b,$k)}})])])}""",
    "sort": """function($v,$f,$d){[$map($sort([$map($v,function($x,$i){
        $append($append($fn_box($f($x)),$i),$fn_box($x))})[]],
        function($l,$r){$l[0]=$r[0]?$l[1]>$r[1]:$d?$l[0]<$r[0]:$l[0]>$r[0]}),function($x){$x[2]})[]]}""",
    "replace": """function($s,$o,$w){$o=""?$error("replace: the text to replace is empty"):$join($split($s,$o),$w)}""",
    "replace_some": """function($s,$o,$w,$n){($p:=$split($s,$o);$c:=$count($p);$n>=$c-1 or $n<0?$join($p,$w)
        :$join($filter($p,function($x,$i){$i<=$n}),$w)&$o&$join($filter($p,function($x,$i){$i>$n}),$o))}""",
}

_USED = re.compile(r"\$fn_([a-z_]+)")


def _on_one_line(source: str) -> str:
    return re.sub(r"\n\s*", "", source)


SOURCES = {name: _on_one_line(source) for name, source in _SOURCES.items()}


def _nesting(source: str) -> int:
    """How many levels an evaluation of this source may nest: a bound from its brackets and conditionals."""
    deepest = at = 0
    for char in source:
        if char in "([{":
            at += 1
            deepest = max(deepest, at)
        elif char in ")]}":
            at -= 1
    return deepest + 2


def _closure(name: str) -> frozenset[str]:
    used = {each for each in _USED.findall(SOURCES[name]) if each != name}
    return frozenset({name}).union(*(_closure(each) for each in used))


# What each helper needs, itself included, and how deep its evaluation goes.
NEEDS = {name: _closure(name) for name in SOURCES}
DEPTH = {name: sum(_nesting(SOURCES[each]) for each in NEEDS[name]) for name in SOURCES}


def definitions(names: Iterable[str]) -> list[str]:
    """The assignments that define the helpers `names` and what those use, in the order in which they must stand."""
    wanted = frozenset().union(*(NEEDS[name] for name in names))
    return [f"${RESERVED_PREFIX}{name} := {SOURCES[name]}" for name in SOURCES if name in wanted]
