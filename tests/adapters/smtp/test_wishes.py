"""What a mail to a list wants, whoever wrote it with whatever program."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.receiving.wishes import wish_of

WHO = "a@b.example.com"


def want(text: str, subject: str = "", kind: str = "text/plain") -> str:
    """What a mail wants with this subject and text."""
    header = f"From: {WHO}\r\nSubject: {subject}\r\nContent-Type: {kind}; charset=utf-8\r\n"
    return wish_of(f"{header}\r\n{text}\r\n".encode(), WHO).want


def both(plain: str, html: str) -> str:
    """A text of both kinds."""
    parts = (("plain", plain), ("html", html))
    return "".join(f"--x\r\nContent-Type: text/{k}\r\n\r\n{t}\r\n" for k, t in parts) + "--x--"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("配信停止", ""),
        ("=?ISO-2022-JP?B?GyRCR1s/LkRkO18bKEI=?=", ""),
        ("メルマガの配信を停止してください", ""),
        ("", "\n\n配信停止希望\n\n> 今月のセール"),
        ("Unsubscribe", ""),
        ("Re: sale", "please unsubscribe me"),
        ("Re:配信停止", ""),
        ("ＳＴＯＰ", ""),
        ("停止", "x" * 5000),
        ("", "退会します"),
        ("", "お世話になっております。\n配信停止をお願いします。"),
        ("Re: sale", "> 今月のセール\n\n配信は不要です"),
        ("", "配信を止めてください"),
        ("", "二度とメールを送らないで"),
        ("", "もう送ってこないでください"),
        ("", "メルマガはもういりません"),
        ("", "今後のご案内はお断りします"),
        ("", "メールをやめてほしい"),
        ("", "受信を拒否します。メール拒否でお願いします"),
        ("", "登録したアドレスを\n登録から削除してください"),
        ("", "いつもありがとうございます。メールの配\n信を停止してください。"),
        ("", "停止してください"),
        ("", "受信拒否でお願いします"),
        ("", "Hello,\n\nplease remove me from this list.\n\nRegards"),
        ("", "Hi\nI want to unsubscribe"),
        ("", "Stop sending me these mails"),
        ("", "Please don't email me again"),
        ("", "no more mails please"),
        ("", "お世話になります。\n解除\n-- \n山田"),
    ],
)
def test_a_wish_to_stop_is_understood(subject: str, text: str) -> None:
    """In the subject, or in any line that they wrote themselves."""
    assert want(text, subject) == "stop"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("", ""),
        ("登録", ""),
        ("空メール", "-- \niPhoneから送信"),
        ("", "iPhoneから送信"),
        ("", "Sent from my iPhone"),
        ("", "Get Outlook for Android<https://aka.ms/AAb9ysg>"),
        ("", "━━━━━━\n山田 太郎\n090-1234-5678\n━━━━━━"),
        ("", "\u3000\n\n."),
    ],
)
def test_an_empty_mail_is_a_sign_up(subject: str, text: str) -> None:
    """Telephones put their own words under it, and want a subject."""
    assert want(text, subject) == "signup"


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("question", "Dear shop,\n" + "when do you open? " * 100),
        ("", "when do you open?"),
        ("", "ご連絡ありがとうございます"),
        ("", "登録をお願いします。このメールへの返信は不要です。"),
        ("Re: sale", ""),
        ("Re: sale", "> 配信停止はこちら"),
        ("Re: サービス停止のお知らせ", "予約は取れますか"),
        ("sale", "2026年11月22日(日) 12:00 Acme <news@acme.example>:\n> 配信停止はこちら"),
        (
            "sale",
            "On Sun, Nov 22, 2026 at 12:00 Acme <\nn@acme.example> wrote:\n\nunsubscribe here",
        ),
        ("sale", "予約は?\n-----Original Message-----\nFrom: n@acme.example\n配信停止はこちら"),
        ("sale", "予約は?\n差出人: Acme <news@acme.example>\n配信停止はこちら"),
        ("", "-- \n" + "詳しくはこちら。" * 100),
    ],
)
def test_a_letter_is_neither(subject: str, text: str) -> None:
    """Nor is what it quotes of a mail of ours, which names the way to stop."""
    assert want(text, subject) == "other"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>お世話になります</p><p>配信停止してください</p>", "stop"),
        ("<div>配信を<b>停止</b>してください</div>", "stop"),
        ("<style>p{}</style><p>&nbsp;</p><br>", "signup"),
        ("", "signup"),
        ("<p>予約は?</p><blockquote><p>配信停止は<br>こちら\n配信停止</p></blockquote>", "other"),
        ("<p>予約は?<blockquote>配信<blockquote>x</blockquote>停止</blockquote>解除", "stop"),
    ],
)
def test_html_is_read_where_it_is_all_there_is(html: str, expected: str) -> None:
    """Or where the plain text beside it is blank."""
    assert want(html, kind="text/html") == expected
    assert want(both(" ", html), kind="multipart/alternative; boundary=x") == expected
    assert want(both("予約は?", html), kind="multipart/alternative; boundary=x") == "other"


@given(st.binary(max_size=2_000) | st.text(max_size=500).map(str.encode), st.text(max_size=20))
def test_no_mail_breaks_the_reading_of_wishes(raw: bytes, sender: str) -> None:
    """Whatever is in it; an address that is found is one line of visible characters."""
    for mail in (raw, b"From: " + raw, b"From: a@b.example\r\nSubject: " + raw):
        wish = wish_of(mail, sender)
        assert wish.sender.count("@") in (0, 1)
        assert not any(c in "\r\n\0 <>" for c in wish.sender)
        assert wish.message_id.isprintable()
