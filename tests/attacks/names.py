"""Names of columns, levels and classes that try to become markup, script or terminal codes."""

_PAYLOAD = "alert(1)"
_TAGS = (
    "<script>{0}</script>",
    "</script><script>{0}</script>",
    "<ScRiPt>{0}</sCrIpT>",
    "<script src=//x.test/a.js></script>",
    "<img src=x onerror={0}>",
    "<img src=x onerror={0}//",
    "<svg onload={0}>",
    "<svg><script>{0}</script></svg>",
    "<svg><animate onbegin={0} attributeName=x>",
    "<body onload={0}>",
    "<iframe src=javascript:{0}>",
    "<iframe srcdoc='<script>{0}</script>'>",
    "<object data=javascript:{0}>",
    "<embed src=javascript:{0}>",
    "<a href=javascript:{0}>x</a>",
    "<form action=javascript:{0}><input type=submit>",
    "<math><mi xlink:href=javascript:{0}>x",
    "<details open ontoggle={0}>",
    "<video><source onerror={0}>",
    "<style>@import 'javascript:{0}'</style>",
    "<link rel=stylesheet href=//x.test/a.css>",
    "<base href=//x.test/>",
    "<meta http-equiv=refresh content=0;url=//x.test>",
    "<!--<script>{0}",
    "--><script>{0}</script>",
    "<![CDATA[<script>{0}</script>]]>",
    "<template><script>{0}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={0}>'>",
    "<title></title><script>{0}</script>",
    "</title><script>{0}</script>",
    "</desc></svg><script>{0}</script>",
    "</style><script>{0}</script>",
    "</textarea><script>{0}</script>",
)
_ATTRIBUTES = (
    '" onmouseover="{0}',
    "' onmouseover='{0}",
    '"><script>{0}</script>',
    "'><script>{0}</script>",
    '" style="background:url(javascript:{0})',
    '" autofocus onfocus={0} x="',
    "` onmouseover=`{0}",
    "x onerror={0}",
)
_TEMPLATES = ("{{{{ 7 * 7 }}}}", "{{% raw %}}", "${{{0}}}", "#{{{0}}}", "<%= {0} %>", "{{{{{0}}}}}")
_SCRIPTS = (
    "javascript:{0}",
    "data:text/html,<script>{0}</script>",
    "';{0}//",
    '";{0}//',
    "\\';{0}//",
    "\\u003cscript\\u003e{0}",
    "\u2028{0}",
    "\u2029{0}",
    "</ScRiPt\t><script>{0}",
    "&lt;script&gt;{0}&lt;/script&gt;",
    "&#60;script&#62;{0}",
    "%3Cscript%3E{0}",
    "＜script＞{0}",
)
_MARKDOWN = (
    "[x](javascript:{0})",
    "![x](//x.test/a.png)",
    "| a | b |\n|---|---|",
    "# heading",
    "\n\n# heading",
    "```\n{0}\n```",
    "`{0}`",
    "**bold** _soft_",
    "<https://x.test>",
    "[x]: javascript:{0}",
    "- [ ] task",
    "> quoted",
    "***",
    "\\",
    "~~gone~~",
)
_TERMINAL = (
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[H",
    "\x1b]8;;http://x.test\x1b\\x\x1b]8;;\x1b\\",
    "\x9b31m",
    "a\rb",
    "a\nb",
    "a\x08\x08b",
    "a\x00b",
    "\x07",
    "\u202etxt.exe",
    "\u2066a\u2069",
    "\u200fa",
    "\u061ca",
    "a\u200bb",
    "\ufeffa",
    "a\u0300" + "\u0300" * 60,
    "\U000e0061tag",
)
_LONG = ("x" * 5000, "<" * 500, '"' * 500, "&" * 500, "\n" * 200, "'" * 300, "🙂" * 300)

NAMES = tuple(
    dict.fromkeys(
        form.format(_PAYLOAD) if "{0}" in form or "{{" in form else form
        for form in (*_TAGS, *_ATTRIBUTES, *_TEMPLATES, *_SCRIPTS, *_MARKDOWN, *_TERMINAL, *_LONG)
    )
)
"""One hundred of them."""

_CODES = (*range(0x20), *range(0x7F, 0xA0), 0x061C, 0x200E, 0x200F, 0x2028, 0x2029)
STEERING = frozenset(map(chr, (*_CODES, *range(0x202A, 0x202F), *range(0x2066, 0x206A)))) - {"\n"}
"""Characters that move a cursor, colour a terminal or turn the reading direction."""
