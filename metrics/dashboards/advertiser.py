"""One advertiser: everything that is counted for them."""

from metrics.dashboards.panels import (
    COUNT,
    DURATION,
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

_STEP = "10m"


def _by(title: Text, about: Text, metric: str, label: str) -> Panel:
    """What came over time, by a label."""
    query = Query(each(metric, label, THEIRS), f"{{{{{label}}}}}")
    return bars(title, about, query, width=8, step=_STEP)


def _most(title: Text, about: Text, metric: str, label: str) -> Panel:
    """What came most in the range, by a label with many values."""
    query = Query(top(10, total(metric, label, THEIRS)), f"{{{{{label}}}}}")
    return ranking(title, about, query, width=8)


_ANSWERED = f'{THEIRS}, result="answered"'

_SUMMARY = Row(
    Text("まとめ", "Summary"),
    (
        stat(
            Text("通話", "Calls"),
            Text("表示期間に確定した通話の数。", "Calls settled in the range shown."),
            total("calls_total", where=THEIRS),
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
            Text(
                "応答した通話1件あたりの通話時間（時:分:秒）。",
                "Talk time of a call that was answered: h:m:s.",
            ),
            ratio(
                total("call_talk_seconds_total", where=THEIRS),
                total("calls_total", where=_ANSWERED),
            ),
            DURATION,
        ),
        stat(
            Text("成果", "Accepted calls"),
            Text(
                "確定したときに成果と判定された通話の数。",
                "Calls that were accepted as results when they were settled.",
            ),
            total("call_outcomes_total", where=f'{THEIRS}, outcome="accepted"'),
        ),
        stat(
            Text("LINE送信", "LINE sent"),
            Text("友だちに送ったメッセージの数。", "Messages sent to LINE friends."),
            total("line_messages_total", where=f'{THEIRS}, result="sent"'),
        ),
        stat(
            Text("メール送信", "Mails sent"),
            Text("中継サーバーが受け取ったメールの数。", "Mails that a relay took."),
            total("mail_messages_total", where=f'{THEIRS}, result="sent"'),
        ),
        stat(
            Text("クーポン使用", "Coupons used"),
            Text("使用されたクーポンの数。", "Coupons that were used."),
            total("coupons_total", where=f'{THEIRS}, action="used"'),
        ),
        stat(
            Text("課金額（円）", "Charges (yen)"),
            Text(
                "課金した金額。税抜き。このバージョンではまだ計上されません（常に0）。",
                "Charged, without tax. Not counted in this release yet: always 0.",
            ),
            total("billed_yen_total", where=THEIRS),
        ),
    ),
)

_CALLS = Row(
    Text("通話", "Calls"),
    (
        _by(
            Text("通話の結果", "Calls by result"),
            Text(
                "話中と途中放棄が多い時間帯は、受電の人数か呼び出し時間を見直してください。",
                "Hours with many busy or abandoned calls want more people, or a longer ring.",
            ),
            "calls_total",
            "result",
        ),
        bars(
            Text("呼び出しと通話の時間", "Ring and talk time"),
            Text(
                "合計の時間（時:分:秒）。通話に対して呼び出しが長いときは、応答が遅れています。",
                "In all: h:m:s. Where ringing is long beside talking, calls are answered late.",
            ),
            Query(each("call_ring_seconds_total", where=THEIRS), Text("呼び出し", "ring")),
            Query(each("call_talk_seconds_total", where=THEIRS), Text("通話", "talk")),
            unit=DURATION,
            width=8,
            step=_STEP,
        ),
        _by(
            Text("成果の判定", "Outcomes"),
            Text(
                "通話が確定したときの判定。判定待ちは、後から担当者が判定します。",
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
                "返信は無料です。ほかは月の無料メッセージ・追加メッセージの通数を消費します。",
                "Replies are free; all others use up the month's messages.",
            ),
            "line_messages_total",
            "kind",
        ),
        _by(
            Text("プッシュ配信の結果", "Pushes that ended"),
            Text(
                "停止は手動で止めた配信、失敗は1通も送れなかった配信です。",
                "How pushes ended. Halted ones were stopped by people.",
            ),
            "line_pushes_total",
            "result",
        ),
        _most(
            Text("イベント", "Events"),
            Text(
                "表示期間に多い上位10種類。ブロックは、友だちがアカウントをブロックしたことです。",
                "The ten most frequent types. unfollow: a friend blocked the account.",
            ),
            "line_events_total",
            "type",
        ),
        _most(
            Text("Webhookの特記事項", "Notes of webhooks"),
            Text(
                "LINEのWebhookで通常と異なる点。増え続けるときは運用会社に連絡してください。",
                "Unusual things in LINE's webhooks. Where they keep coming, ask who runs the "
                "gateway.",
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
                "LINE上での作成と削除。拒否されたときは画像と設定を確認してください。",
                "Created and deleted at LINE. Refused: look at the image and the settings.",
            ),
            "line_menus_total",
            "action",
        ),
        _by(
            Text("友だちの画像とファイル", "Friends' images and files"),
            Text(
                "保存した件数、保存できなかった件数（理由別）、削除した件数。",
                "Those kept, why others were not, and those removed.",
            ),
            "line_contents_total",
            "result",
        ),
        _by(
            Text("Webhookの転送", "Webhooks passed on"),
            Text(
                "別のツールへの転送の結果。拒否が続くときは転送先のURLを確認してください。",
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
                "発行、使用など。拒否は、発行できないか使用済みにできなかった件数です。",
                "What became of coupons. Refused: neither handed out nor stamped.",
            ),
            "coupons_total",
            "action",
        ),
        _by(
            Text("ポイント", "Points"),
            Text("ショップカードのポイント（付与方法別）。", "Points on shop cards, by how."),
            "card_points_total",
            "how",
        ),
        _by(
            Text("ショップカード", "Shop cards"),
            Text(
                "カードの開始・ゴール達成・期限切れ・引き継ぎ。",
                "Cards that were started, filled, expired or handed on.",
            ),
            "cards_total",
            "action",
        ),
        _most(
            Text("無効な読み取り", "Scans that gave nothing"),
            Text(
                "理由別。PIN誤りや利用者のなりすましが多いときは不正を疑ってください。",
                "By reason. Many wrong PINs or claimed users: somebody may be cheating.",
            ),
            "card_refusals_total",
            "reason",
        ),
        _by(
            Text("アンケート", "Surveys"),
            Text("回答の依頼と回答の件数。", "Friends who were asked, and who answered."),
            "survey_answers_total",
            "result",
        ),
        _by(
            Text("短縮リンク", "Short links"),
            Text(
                "人とボットのアクセス。記録なしは、1分間の上限を超えたアクセスです。",
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
                "保留は送信できたか不明なメールです。あれば運用会社に連絡してください"
                "（運用手引きのMailsHeld）。",
                "Held: nobody knows whether they went. Ask who runs the gateway (MailsHeld in "
                "docs/operate.md).",
            ),
            "mail_messages_total",
            "result",
        ),
        _most(
            Text("不達と苦情", "Bounces and complaints"),
            Text(
                "種類別。宛先不明が多いときはリストが古く、ブロックや迷惑メール判定が多いときは"
                "送信元の評価（レピュテーション）が下がっています。",
                "By class. Many unknown users: the list is old. Blocked, spam: the sender's name.",
            ),
            "mail_bounces_total",
            "class",
        ),
        _by(
            Text("反応", "Responses"),
            Text(
                "クリックと開封。ボットによるものは別に数えます。", "Clicks and opens; bots apart."
            ),
            "mail_responses_total",
            "what",
        ),
        _by(
            Text("登録", "Sign-ups"),
            Text(
                "フォームと空メールによる登録。上限による拒否が多いときは悪用を疑ってください。",
                "By form and empty mail. Many limited ones: somebody may be abusing the form.",
            ),
            "mail_signups_total",
            "result",
        ),
        _by(
            Text("配信の終了と一時停止", "Campaigns ended or paused"),
            Text(
                "一時停止があれば運用会社に連絡してください（運用手引きのMailCampaignPaused）。",
                "Where any was paused, ask who runs the gateway (MailCampaignPaused in "
                "docs/operate.md).",
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
            unit=COUNT,
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
            Text(
                "現在のSIMの枚数。このバージョンではまだ計上されません（常に0）。",
                "SIMs as they are now. Not counted in this release yet: always 0.",
            ),
            Query(f"sort_desc({stored('sims', 'state', THEIRS)})", "{{state}}"),
            width=8,
        ),
        bars(
            Text("サービス別の課金額（円）", "Charges by service (yen)"),
            Text(
                "税抜き。このバージョンではまだ計上されません（常に0）。",
                "Without tax. Not counted in this release yet: always 0.",
            ),
            Query(each("billed_yen_total", "service", THEIRS), "{{service}}"),
            width=8,
            step=_STEP,
        ),
        ranking(
            Text("処理できなかったもの", "Put aside"),
            Text(
                "ゲートウェイの不具合で処理できず、再試行されないもの。"
                "あれば運用会社に連絡してください（警報PutAside）。",
                "What could not be made, for a fault of the gateway; it is not tried again. Where "
                "there is any, ask who runs the gateway (the alarm PutAside).",
            ),
            Query(f"sort_desc({total('put_aside_total', 'what', THEIRS)})", "{{what}}"),
            width=8,
        ),
    ),
)

BOARD = Board(
    name="advertiser",
    title=Text("Tsunagi 広告主別", "Tsunagi: one advertiser"),
    about=Text(
        "1つの広告主の通話・LINE・クーポン・メール・SIM・課金。"
        "棒グラフは終わった時間帯だけを表示し、現在の時間帯は含みません。",
        "Calls, LINE, coupons, mail, SIMs and charges of one advertiser. Bars end at the last "
        "full step.",
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
