"""Names and e-mail addresses of people that break what reads them."""

from __future__ import annotations

_UNUSUAL = (
    "coach@[|coach@[]|coach@[1.2.3.4]|a@b>|a(x)@b|a@b(x)|a@b,c@d|@|a@|@b|a@b@c|a..b@c|.a@b|a.@b|a@-b|a@b-|a@b.|a@.b|a@b;c@d|<a@b>|"
    'åsa@skola.example|a@skolå.example|=?utf-8?q?a?=@b|\'a@b|`a`@b|a%b@c|a\\b@c|"a"@b|a:b@c'
)
ADDRESSES = (
    *_UNUSUAL.split("|"),
    "👩@b",
    "\ud83d@b",
    "a@b\r\nRCPT TO:<x@y>",
    "a@b\n",
    "a@b\0",
    '"a b"@c',
    "a@" + "b" * 250,
    "a" * 250 + "@b",
)

NAMES = (
    "A\r\nBcc: all@skola.example",
    "A\nBcc: all@skola.example",
    "\x00A",
    "\x1b[2J",
    "A\x85B\u2028C\u2029D",
    "\u202eevil",
    "\ud800",
    "=?utf-8?q?=0D=0ABcc:_x@y.example?=",
    '" <x@y.example>, "',
    "." * 100,
    "." * 200,
    '"' * 100,
    "Å" * 200,
    "👩🏽‍🏫" * 40,
)
