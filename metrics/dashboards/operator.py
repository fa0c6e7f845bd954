"""All advertisers together: what an operator looks at first."""

from metrics.dashboards.panels import (
    DURATION,
    SMALL_IS_GOOD,
    Board,
    Query,
    Row,
    bars,
    ranking,
    stat,
    table,
)
from metrics.dashboards.query import (
    each_of_all,
    leaders,
    ratio,
    stored,
    stored_of_all,
    total_of_all,
)
from metrics.dashboards.text import Text

_STEP = "10m"

_SUMMARY = Row(
    Text("まとめ", "Summary"),
    (
        stat(
            Text("通話", "Calls"),
            Text(
                "表示期間に確定した通話の数。転送先を含むすべての通話区間が終わった後に1回だけ数えます。",
                "Calls settled in the range shown. Each counts once, after its legs have ended.",
            ),
            total_of_all("calls_total"),
        ),
        stat(
            Text("応答率", "Answer share"),
            Text(
                "確定した通話のうち応答した割合。下がったときは「広告主別」で"
                "転送先の営業時間と話中を確認してください。",
                "Of the calls settled, those that were answered. Where it falls, look at the "
                "advertiser's dashboard: hours of the targets, busy lines.",
            ),
            ratio(
                total_of_all("calls_total", where='result="answered"'), total_of_all("calls_total")
            ),
            "percentunit",
            decimals=1,
        ),
        stat(
            Text("通話時間", "Talk time"),
            Text(
                "確定した通話の通話時間の合計（日 時:分:秒）。",
                "Time that settled calls talked, in all: days, h:m:s.",
            ),
            total_of_all("call_talk_seconds_total"),
            DURATION,
        ),
        stat(
            Text("成果", "Accepted calls"),
            Text(
                "確定したときに成果と判定された通話の数。後からの判定の変更は含みません。",
                "Calls that were accepted as results when they were settled. Later changes by "
                "people are not counted.",
            ),
            total_of_all("call_outcomes_total", where='outcome="accepted"'),
        ),
        stat(
            Text("LINE送信", "LINE sent"),
            Text(
                "LINEの友だちに送ったメッセージの数。宛先ごとに1通と数えます。",
                "Messages sent to LINE friends, one for each recipient.",
            ),
            total_of_all("line_messages_total", where='result="sent"'),
        ),
        stat(
            Text("メール送信", "Mails sent"),
            Text(
                "中継サーバーが受け取ったメールの数。",
                "Mails that a relay took.",
            ),
            total_of_all("mail_messages_total", where='result="sent"'),
        ),
        stat(
            Text("課金額（円）", "Charges (yen)"),
            Text(
                "課金した金額の合計。税抜き。このバージョンではまだ計上されません（常に0）。",
                "Charged, without tax. Not counted in this release yet: always 0.",
            ),
            total_of_all("billed_yen_total"),
        ),
        stat(
            Text("発報中の警報", "Firing alarms"),
            Text(
                "いま発報している警報の数。0でなければ下の表を見て、運用手引き"
                "（docs/operate.md）の同じ名前の節に従ってください。",
                "Alarms that fire now. Where there are any, see the table below, and the section "
                "of that name in docs/operate.md.",
            ),
            'count(ALERTS{alertstate="firing"}) or on () vector(0)',
            steps=SMALL_IS_GOOD,
        ),
    ),
)

_CALLS = Row(
    Text("通話", "Calls"),
    (
        bars(
            Text("通話の結果", "Calls by result"),
            Text(
                "確定した通話の結果別の件数。失敗が増えたら「通話ライブ」を、"
                "話中と途中放棄が増えたら広告主の受電体制を確認してください。",
                "Calls settled, by result. Where failures rise, look at "
                "“Calls live”; where busy and abandoned rise, at how advertisers answer.",
            ),
            Query(each_of_all("calls_total", "result"), "{{result}}"),
            width=16,
            step=_STEP,
        ),
        bars(
            Text("成果の判定", "Outcomes"),
            Text(
                "通話が確定したときの判定。判定待ちは、後から担当者が判定します。",
                "What was judged of calls when they were settled; pending ones are for people.",
            ),
            Query(each_of_all("call_outcomes_total", "outcome"), "{{outcome}}"),
            width=8,
            step=_STEP,
        ),
    ),
)

_MESSAGES = Row(
    Text("LINEとメール", "LINE and mail"),
    (
        bars(
            Text("LINEメッセージの結果", "LINE messages by result"),
            Text(
                "宛先ごとの結果。拒否・期限切れ・上限超過は自動では再送されません。"
                "理由は`gateway outbox list`で確認できます。",
                "What became of messages, one for each recipient. Refused, expired and over_quota "
                "ones are not sent again by themselves: `gateway outbox list` has the reasons.",
            ),
            Query(each_of_all("line_messages_total", "result"), "{{result}}"),
            step=_STEP,
        ),
        bars(
            Text("メールの結果", "Mails by result"),
            Text(
                "送信を試みた結果。詳しくは「メール配信」を見てください。",
                "What came of attempts to send. “Mail delivery” tells more.",
            ),
            Query(each_of_all("mail_messages_total", "result"), "{{result}}"),
            step=_STEP,
        ),
    ),
)

_MONEY = Row(
    Text("課金と契約", "Charges and contracts"),
    (
        bars(
            Text("サービス別の課金額（円）", "Charges by service (yen)"),
            Text(
                "税抜き。このバージョンではまだ計上されません（常に0）。",
                "Without tax. Not counted in this release yet: always 0.",
            ),
            Query(each_of_all("billed_yen_total", "service"), "{{service}}"),
            step=_STEP,
        ),
        ranking(
            Text("SIMの状態", "SIMs by state"),
            Text(
                "現在のSIMの枚数（状態別）。このバージョンではまだ計上されません（常に0）。",
                "SIMs as they are now. Not counted in this release yet: always 0.",
            ),
            Query(f"sort_desc({stored_of_all('sims', 'state')})", "{{state}}"),
        ),
        ranking(
            Text("処理できなかったもの", "Put aside"),
            Text(
                "期日が来たのにゲートウェイの不具合で処理できず、再試行されないものの件数。"
                "0でなければ警報PutAsideの手順に従ってください。",
                "What was due and could not be made, for a fault of the gateway; it is not tried "
                "again. Where there is any, see the alarm PutAside.",
            ),
            Query(f"sort_desc({total_of_all('put_aside_total', 'what')})", "{{what}}"),
        ),
    ),
)


def _ten(what: str) -> Query:
    return Query(leaders(10, what), "{{advertiser}}")


_LEADERS = Row(
    Text("広告主の上位10", "Top ten advertisers"),
    (
        ranking(
            Text("通話", "Calls"),
            Text(
                "表示期間の通話が多い広告主。クリックするとその広告主のダッシュボードを開きます。",
                "Most calls in the range shown. A click opens the advertiser's dashboard.",
            ),
            _ten("calls"),
            height=10,
            leads_to="advertiser",
        ),
        ranking(
            Text("LINE送信", "LINE sent"),
            Text("送信したLINEメッセージが多い広告主。", "Most messages sent to LINE friends."),
            _ten("line_sent"),
            height=10,
            leads_to="advertiser",
        ),
        ranking(
            Text("メール送信", "Mails sent"),
            Text("送信したメールが多い広告主。", "Most mails sent."),
            _ten("mail_sent"),
            height=10,
            leads_to="advertiser",
        ),
        ranking(
            Text("課金額（円）", "Charges (yen)"),
            Text(
                "課金額が多い広告主。税抜き。このバージョンではまだ計上されません（常に0）。",
                "Most charged, without tax. Not counted in this release yet: always 0.",
            ),
            _ten("billed_yen"),
            height=10,
            leads_to="advertiser",
        ),
    ),
)

_ALARMS = Row(
    Text("警報", "Alarms"),
    (
        table(
            Text("発報中の警報", "Firing alarms"),
            Text(
                "対応手順は運用手引き（docs/operate.md）の、警報と同じ名前の節にあります。"
                "警報名のない件数0の行は、発報中の警報がないことを表します。",
                "An alarm's name is that of its section in docs/operate.md. One row with a bare 0 "
                "says that none fires.",
            ),
            'count by (alertname, severity) (ALERTS{alertstate="firing"}) or on () vector(0)',
            {
                "alertname": Text("警報", "Alarm"),
                "severity": Text("重大度", "Severity"),
                "Value": Text("件数", "Count"),
            },
            width=18,
        ),
        stat(
            Text("広告主", "Advertisers"),
            Text("集計対象の広告主の数。", "Advertisers whose figures are kept."),
            stored("advertisers"),
        ),
        stat(
            Text("配信可能な宛先", "Addresses"),
            Text(
                "配信してよいメールアドレスの数。契約ごとに1件と数えます。",
                "Addresses that may be mailed, each once under a contract.",
            ),
            stored_of_all("mail_recipients"),
        ),
    ),
)

BOARD = Board(
    name="operator",
    title=Text("Tsunagi 全体概要", "Tsunagi: operator's overview"),
    about=Text(
        "すべての広告主の通話・LINE・メール・課金と、発報中の警報。数値は5分ごとに集計するため、"
        "最大11分遅れます。棒グラフは終わった時間帯だけを表示し、現在の時間帯は含みません。",
        "Calls, LINE, mail and charges of all advertisers, and the alarms that fire. Figures are "
        "added up every five minutes, so they are up to eleven minutes behind. "
        "Bars end at the last full step.",
    ),
    span="6h",
    refresh="5m",
    rows=(_SUMMARY, _CALLS, _MESSAGES, _MONEY, _LEADERS, _ALARMS),
)
