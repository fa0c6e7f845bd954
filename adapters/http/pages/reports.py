"""A month's report of a channel, to be printed: figures, what changed, and what the adviser found.

It is shown by the API to whoever accepts ``text/html``; nothing in it comes from elsewhere.
"""

from collections.abc import Iterator, Sequence

import msgspec

from adapters.http.pages.base import Html, Language, Text, joined, lines, markup, page
from gateway.domain.insight import Day, Figures, change, date_of, day_of
from gateway.ports import Answer
from gateway.ports.insight import Note, SupportCall


class Sheet(msgspec.Struct, frozen=True):
    """What stands in a report."""

    name: str
    """What the shop is called."""
    month: str
    is_complete: bool
    """Whether nothing of the month is counted any more."""
    now: Figures
    before: Figures
    """The month before."""
    days: Sequence[Day]
    note: Note | None
    calls: Sequence[SupportCall]


_TITLE = Text("{name} 月次レポート {month}", "{name}: monthly report {month}")
_OPEN = Text("この月はまだ集計中です。", "This month is not complete yet.")
_OURS = Text("当システムの集計", "Counted here")
_THEIRS = Text("LINEの集計", "Counted by LINE")
_FIGURE = Text("項目", "Figure")
_NOW = Text("当月", "This month")
_CHANGE = Text("前月比", "Change")
_WITHHELD = Text(
    "LINEは20未満の数値を公表しません({count}件が非公表)。",
    "LINE does not publish figures under 20 ({count} withheld).",
)
_FINDINGS = Text("担当者の所見", "Findings")
_NONE = Text("まだ記入されていません。", "Nothing written yet.")
_CALLS = Text(
    "サポートコール({count}件・{minutes}分)", "Support calls ({count}, {minutes} minutes)"
)
_DAILY = Text("日別", "Daily")

_OWN: dict[str, Text] = {
    "friends": Text("友だち(月末)", "Friends (end of month)"),
    "follows": Text("友だち追加", "New friends"),
    "blocks": Text("ブロック", "Blocked"),
    "messages": Text("受信メッセージ", "Messages from friends"),
    "replies": Text("応答", "Replies"),
    "pushes": Text("プッシュ配信(宛先数)", "Pushes (recipients)"),
    "clicks": Text("リンクのクリック", "Link clicks"),
    "coupons_issued": Text("クーポン発行", "Coupons issued"),
    "coupons_used": Text("クーポン利用", "Coupons used"),
    "points": Text("ショップカードのポイント", "Shop card points"),
    "visits": Text("ショップカードの来店", "Shop card visits"),
}
_PLATFORM: dict[str, Text] = {
    "platform_followers": Text("友だち追加の累計", "Friends added (total)"),
    "platform_targeted_reaches": Text("ターゲットリーチ", "Targeted reaches"),
    "platform_blocks": Text("ブロック(月末)", "Blocked (end of month)"),
    "platform_impressions": Text("開封(人数)", "Opened (people)"),
    "platform_clicks": Text("クリック(人数)", "Clicked (people)"),
}
_CHARTS = ("friends", "follows", "blocks", "clicks", "coupons_used", "points")


def report_page(language: Language, sheet: Sheet) -> Answer:
    """The report as a page."""
    title = _TITLE.to(language, name=sheet.name, month=sheet.month)
    parts = [
        markup("<h1>{title}</h1>", title=title),
        *(() if sheet.is_complete else [markup("<p>{open}</p>", open=_OPEN.to(language))]),
        _section(_FINDINGS.to(language), _findings(language, sheet.note)),
        _section(_OURS.to(language), _table(language, _ours(language, sheet))),
        _section(_THEIRS.to(language), _platform(language, sheet)),
        _section(_DAILY.to(language), joined(_charts(language, sheet.days))),
        _calls(language, sheet.calls),
    ]
    return page(language, title, joined(parts, Html("\n")))


def _section(title: str, content: Html) -> Html:
    return markup("<section><h2>{title}</h2>{content}</section>", title=title, content=content)


def _findings(language: Language, note: Note | None) -> Html:
    if note is None or not note.text:
        return markup('<p class="soft">{none}</p>', none=_NONE.to(language))
    return markup("<p>{text}</p>", text=lines(note.text))


_Row = tuple[str, int | None, int | None]


def _ours(language: Language, sheet: Sheet) -> Iterator[_Row]:
    changes = change(sheet.now, sheet.before)
    for name, text in _OWN.items():
        yield text.to(language), getattr(sheet.now.own, name), changes[f"own_{name}"]


def _platform(language: Language, sheet: Sheet) -> Html:
    changes = change(sheet.now, sheet.before)
    rows: list[_Row] = [
        (text.to(language), getattr(sheet.now, name), changes[name])
        for name, text in _PLATFORM.items()
    ]
    content = _table(language, iter(rows))
    if sheet.now.platform_withheld:
        withheld = _WITHHELD.to(language, count=sheet.now.platform_withheld)
        content = joined([content, markup("<p><small>{text}</small></p>", text=withheld)])
    return content


def _table(language: Language, rows: Iterator[_Row]) -> Html:
    head = markup(
        "<tr><th>{figure}</th><th>{now}</th><th>{change}</th></tr>",
        figure=_FIGURE.to(language),
        now=_NOW.to(language),
        change=_CHANGE.to(language),
    )
    body = joined(
        markup(
            "<tr><td>{name}</td><td>{value}</td><td>{change}</td></tr>",
            name=name,
            value="–" if value is None else f"{value:,}",
            change="–" if more is None else f"{more:+,}" if more else "±0",
        )
        for name, value, more in rows
    )
    return markup("<table>{head}{body}</table>", head=head, body=body)


# --- bars ---

_STEP, _BAR, _HEIGHT = 20, 14, 60


def _charts(language: Language, days: Sequence[Day]) -> Iterator[Html]:
    for name in _CHARTS:
        values = [(date_of(day.day).day, getattr(day.own, name)) for day in days if day.own_at]
        yield _chart(_OWN[name].to(language), values)


def _chart(title: str, values: Sequence[tuple[int, int]]) -> Html:
    """Bars of a month; what is below 0 (points taken back) has none."""
    most = max((value for _, value in values), default=0)
    bars = joined(_bar(day, value, most) for day, value in values if value > 0)
    width = 31 * _STEP
    return markup(
        "<p><strong>{title}</strong> <small>max {most}</small></p>"
        '<svg viewBox="0 0 {width} {height}" width="100%" role="img" aria-label="{title}">'
        '<line x1="0" y1="{base}" x2="{width}" y2="{base}" stroke="#8a958e"/>{bars}</svg>',
        title=title,
        most=f"{most:,}",
        width=width,
        height=_HEIGHT + 16,
        base=_HEIGHT,
        bars=bars,
    )


def _bar(day: int, value: int, most: int) -> Html:
    height = max(1, round(value / most * (_HEIGHT - 4)))
    left = (day - 1) * _STEP
    return markup(
        '<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#067a46">'
        "<title>{day}: {value}</title></rect>"
        '<text x="{middle}" y="{below}" font-size="10" text-anchor="middle" fill="currentColor">'
        "{day}</text>",
        x=left,
        y=_HEIGHT - height,
        width=_BAR,
        height=height,
        day=day,
        value=f"{value:,}",
        middle=left + _BAR // 2,
        below=_HEIGHT + 13,
    )


# --- support calls ---


def _calls(language: Language, calls: Sequence[SupportCall]) -> Html:
    minutes = sum(call.minutes for call in calls)
    title = _CALLS.to(language, count=len(calls), minutes=minutes)
    rows = joined(
        markup(
            "<tr><td>{date}</td><td>{subject}<br><small>{outcome}</small></td><td>{who}</td></tr>",
            date=f"{date_of(day_of(call.at)):%m-%d}",
            subject=call.subject,
            outcome=call.outcome,
            who=call.who,
        )
        for call in calls
    )
    return _section(title, markup("<table>{rows}</table>", rows=rows))
