"""One advertiser: everything that is counted for them."""

from metrics.dashboards.panels import (
    COUNT,
    YEN,
    Board,
    Panel,
    Query,
    Row,
    Variable,
    bars,
    lines,
    ranking,
    stat,
)
from metrics.dashboards.query import ADVERTISER as THEIRS
from metrics.dashboards.query import each, ratio, stored, top, total
from metrics.dashboards.text import Text

_STEP = "1h"


def _by(title: Text, about: Text, metric: str, label: str) -> Panel:
    """What came over time, by a label."""
    query = Query(each(metric, label, THEIRS), f"{{{{{label}}}}}")
    return bars(title, about, query, width=8, step=_STEP)


def _most(title: Text, about: Text, metric: str, label: str) -> Panel:
    """What came most in the range, by a label with many values."""
    query = Query(top(10, total(metric, label, THEIRS)), f"{{{{{label}}}}}")
    return ranking(title, about, query, COUNT, width=8)


_ANSWERED = f'{THEIRS}, result="answered"'

_SUMMARY = Row(
    Text("まとめ", "Summary"),
    (
        stat(
            Text("通話", "Calls"),
            Text("表示期間に確定した通話の数。", "Calls settled in the range shown."),
            total("calls_total", where=THEIRS),
            COUNT,
        ),
        stat(
            Text("応答率", "Answer share"),
            Text(
                "確定した通話のうち応答した割合。",
                "Of the calls settled, those that were answered.",
            ),
            ratio(total("calls_total", where=_ANSWERED), total("calls_total", where=THEIRS)),
            "percentunit",
            decimals=1,
        ),
        stat(
            Text("平均通話時間", "Mean talk time"),
            Text("応答した通話一件あたりの通話時間。", "Talk time of a call that was answered."),
            ratio(
                total("call_talk_seconds_total", where=THEIRS),
                total("calls_total", where=_ANSWERED),
            ),
            "s",
        ),
        stat(
            Text("成果", "Accepted calls"),
            Text(
                "確定したときに成果と判定された通話の数。",
                "Calls that were accepted as results when they were settled.",
            ),
            total("call_outcomes_total", where=f'{THEIRS}, outcome="accepted"'),
            COUNT,
        ),
        stat(
            Text("LINE送信", "LINE sent"),
            Text("友だちに送ったメッセージの数。", "Messages sent to LINE friends."),
            total("line_messages_total", where=f'{THEIRS}, result="sent"'),
            COUNT,
        ),
        stat(
            Text("メール送信", "Mails sent"),
            Text("中継サーバーが受け取ったメールの数。", "Mails that a relay took."),
            total("mail_messages_total", where=f'{THEIRS}, result="sent"'),
            COUNT,
        ),
        stat(
            Text("クーポン使用", "Coupons used"),
            Text("使用されたクーポンの数。", "Coupons that were used."),
            total("coupons_total", where=f'{THEIRS}, action="used"'),
            COUNT,
        ),
        stat(
            Text("課金額", "Charges"),
            Text("課金した金額。税抜き。", "Yen charged, without tax."),
            total("billed_yen_total", where=THEIRS),
            YEN,
        ),
    ),
)

_CALLS = Row(
    Text("通話", "Calls"),
    (
        _by(
            Text("通話の結果", "Calls by result"),
            Text(
                "話中と途中放棄が多い時間帯は、受電の人数か呼出し時間を見直してください。",
                "Hours with many busy or abandoned calls want more people, or a longer ring.",
            ),
            "calls_total",
            "result",
        ),
        bars(
            Text("呼出しと通話の時間", "Ring and talk time"),
            Text(
                "呼出しが通話に対して長いときは、応答が遅れています。",
                "Where ringing is long beside talking, calls are answered late.",
            ),
            Query(each("call_ring_seconds_total", where=THEIRS), Text("呼出し", "ring")),
            Query(each("call_talk_seconds_total", where=THEIRS), Text("通話", "talk")),
            unit="s",
            width=8,
            step=_STEP,
        ),
        _by(
            Text("成果の判定", "Outcomes"),
            Text(
                "確定したときの判定。判定待ちは人が決めます。",
                "What was judged of calls when they were settled; pending ones are for people.",
            ),
            "call_outcomes_total",
            "outcome",
        ),
    ),
)

_LINE = Row(
    Text("LINE", "LINE"),
    (
        _by(
            Text("メッセージの結果", "Messages by result"),
            Text(
                "宛先ごとの結果。拒否・期限切れ・上限超過は自動では再送されません。",
                "One for each recipient. Refused, expired and over_quota ones are not sent again "
                "by themselves.",
            ),
            "line_messages_total",
            "result",
        ),
        _by(
            Text("メッセージの種類", "Messages by kind"),
            Text(
                "返信は無料、ほかは月の通数を使います。",
                "Replies are free; all others use up the month's messages.",
            ),
            "line_messages_total",
            "kind",
        ),
        _by(
            Text("プッシュ配信の終わり方", "Pushes that ended"),
            Text(
                "停止は人が止めたもの、失敗は一通も送れなかったもの。",
                "How pushes ended. Halted ones were stopped by people.",
            ),
            "line_pushes_total",
            "result",
        ),
        _most(
            Text("イベント", "Events"),
            Text(
                "表示期間に多い10種類。",
                "The ten most frequent types. unfollow: a friend blocked the account.",
            ),
            "line_events_total",
            "type",
        ),
        _most(
            Text("Webhookの注記", "Notes of webhooks"),
            Text(
                "LINEのWebhookの通常と異なる点。増え続けるときは報告してください。",
                "Unusual things in LINE's webhooks. Where they keep coming, report it.",
            ),
            "line_notes_total",
            "note",
        ),
        _by(
            Text("タグ", "Tags"),
            Text("友だちに付いた、または外れたタグ。", "Tags that friends got or lost."),
            "line_tags_total",
            "action",
        ),
        _by(
            Text("リッチメニュー", "Rich menus"),
            Text(
                "LINE上での作成と削除。拒否されたときは画像と設定を確かめてください。",
                "Created and deleted at LINE. Refused: look at the image and the settings.",
            ),
            "line_menus_total",
            "action",
        ),
        _by(
            Text("友だちの画像とファイル", "Friends' images and files"),
            Text(
                "保存したもの、保存できなかった理由、消したもの。",
                "Those kept, why others were not, and those removed.",
            ),
            "line_contents_total",
            "result",
        ),
        _by(
            Text("Webhookの転送", "Webhooks passed on"),
            Text(
                "第二のツールへの転送の結果。拒否が続くときは転送先のURLを確かめてください。",
                "What came of webhooks sent on to a second tool. Where refused, look at its URL.",
            ),
            "line_forwards_total",
            "result",
        ),
    ),
)

_VISITS = Row(
    Text("クーポン・ショップカード・アンケート", "Coupons, shop cards, surveys"),
    (
        _by(
            Text("クーポン", "Coupons"),
            Text(
                "発行と使用。拒否は、配れないか押印できなかったもの。",
                "What became of coupons. Refused: neither handed out nor stamped.",
            ),
            "coupons_total",
            "action",
        ),
        _by(
            Text("ポイント", "Points"),
            Text("ショップカードに付いたポイントを付き方別に。", "Points on shop cards, by how."),
            "card_points_total",
            "how",
        ),
        _by(
            Text("ショップカード", "Shop cards"),
            Text("カードの開始・満了・失効。", "Cards that were started, filled or expired."),
            "cards_total",
            "action",
        ),
        _most(
            Text("無効だった読取り", "Scans that gave nothing"),
            Text(
                "理由別。PINの誤りや詐称が多いときは不正を疑ってください。",
                "By reason. Many wrong PINs or claimed users: somebody may be cheating.",
            ),
            "card_refusals_total",
            "reason",
        ),
        _by(
            Text("アンケート", "Surveys"),
            Text("依頼と回答。", "Friends who were asked, and who answered."),
            "survey_answers_total",
            "result",
        ),
        _by(
            Text("短縮リンク", "Short links"),
            Text(
                "人とプログラムの訪問。記録なしは、一分間に多すぎたもの。",
                "Visits of people and of programs; unrecorded: too many in a minute.",
            ),
            "link_clicks_total",
            "kind",
        ),
    ),
)

_MAIL = Row(
    Text("メール", "Mail"),
    (
        _by(
            Text("メールの結果", "Mails by result"),
            Text(
                "保留は届いたか分からないもの: 運用手引きのMailsHeldを見てください。",
                "Held: nobody knows whether they went, see MailsHeld in docs/operate.md.",
            ),
            "mail_messages_total",
            "result",
        ),
        _most(
            Text("不達と苦情", "Bounces and complaints"),
            Text(
                "種類別。宛先不明が多いのはリストの古さ、拒否や迷惑メール判定は送信側の評判です。",
                "By class. Many unknown users: the list is old. Blocked, spam: the sender's name.",
            ),
            "mail_bounces_total",
            "class",
        ),
        _by(
            Text("反応", "Responses"),
            Text("クリックと開封。プログラムによるものは別。", "Clicks and opens; bots apart."),
            "mail_responses_total",
            "what",
        ),
        _by(
            Text("登録", "Sign-ups"),
            Text(
                "フォームと空メールによる登録。上限が多いときは悪用を疑ってください。",
                "By form and empty mail. Many limited ones: somebody may be abusing the form.",
            ),
            "mail_signups_total",
            "result",
        ),
        _by(
            Text("配信の終わりと一時停止", "Campaigns ended or paused"),
            Text(
                "一時停止があれば、運用手引きのMailCampaignPausedを見てください。",
                "Where any was paused, see MailCampaignPaused in docs/operate.md.",
            ),
            "mail_campaigns_total",
            "result",
        ),
        lines(
            Text("配信可能な宛先", "Addresses"),
            Text(
                "配信してよいアドレスの数。急に減ったときは配信停止か不達を見てください。",
                "Addresses that may be mailed. A sudden fall: look at stops and bounces.",
            ),
            Query(stored("mail_recipients", where=THEIRS), Text("宛先", "addresses")),
            width=8,
            step="1m",
        ),
    ),
)

_CONTRACT = Row(
    Text("SIM・課金", "SIMs and charges"),
    (
        ranking(
            Text("SIMの状態", "SIMs by state"),
            Text("いまのSIMの枚数。", "SIMs as they are now."),
            Query(f"sort_desc({stored('sims', 'state', THEIRS)})", "{{state}}"),
            COUNT,
            width=8,
        ),
        bars(
            Text("サービス別の課金額", "Charges by service"),
            Text("税抜き。", "Yen, without tax."),
            Query(each("billed_yen_total", "service", THEIRS), "{{service}}"),
            unit=YEN,
            width=8,
            step=_STEP,
        ),
        ranking(
            Text("作れなかったもの", "Put aside"),
            Text(
                "ゲートウェイの不具合で作れず、やり直されないもの。警報PutAsideを見てください。",
                "What could not be made, for a fault of the gateway; it is not tried again: see "
                "the alarm PutAside.",
            ),
            Query(f"sort_desc({total('put_aside_total', 'what', THEIRS)})", "{{what}}"),
            COUNT,
            width=8,
        ),
    ),
)

BOARD = Board(
    name="advertiser",
    title=Text("Tsunagi 広告主別", "Tsunagi: one advertiser"),
    about=Text(
        "一つの広告主の通話・LINE・クーポン・メール・SIM・課金。",
        "Calls, LINE, coupons, mail, SIMs and charges of one advertiser.",
    ),
    span="7d",
    refresh="5m",
    variables=(
        Variable(
            "advertiser",
            Text("広告主", "Advertiser"),
            "gateway_call_talk_seconds_total",
            several=False,
        ),
    ),
    rows=(_SUMMARY, _CALLS, _LINE, _VISITS, _MAIL, _CONTRACT),
)
