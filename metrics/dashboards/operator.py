"""All advertisers together: what an operator looks at first."""

from metrics.dashboards.panels import (
    COUNT,
    SMALL_IS_GOOD,
    YEN,
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
                "表示期間に確定した通話の数。終話後、すべての区間が終わったときに一度だけ数えます。",
                "Calls settled in the range shown. Each counts once, after its legs have ended.",
            ),
            total_of_all("calls_total"),
            COUNT,
        ),
        stat(
            Text("応答率", "Answer share"),
            Text(
                "確定した通話のうち応答した割合。下がったときは、下の広告主別の画面で"
                "転送先の営業時間と話中を確かめてください。",
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
            Text("確定した通話の通話時間の合計。", "Time that settled calls talked, in all."),
            total_of_all("call_talk_seconds_total"),
            "s",
            decimals=1,
        ),
        stat(
            Text("成果", "Accepted calls"),
            Text(
                "確定したときに成果と判定された通話の数。後からの判定の変更は含みません。",
                "Calls that were accepted as results when they were settled. Later changes by "
                "people are not counted.",
            ),
            total_of_all("call_outcomes_total", where='outcome="accepted"'),
            COUNT,
        ),
        stat(
            Text("LINE送信", "LINE sent"),
            Text(
                "LINEの友だちに送ったメッセージの数。宛先ごとに一つと数えます。",
                "Messages sent to LINE friends, one for each recipient.",
            ),
            total_of_all("line_messages_total", where='result="sent"'),
            COUNT,
        ),
        stat(
            Text("メール送信", "Mails sent"),
            Text(
                "中継サーバーが受け取ったメールの数。",
                "Mails that a relay took.",
            ),
            total_of_all("mail_messages_total", where='result="sent"'),
            COUNT,
        ),
        stat(
            Text("課金額", "Charges"),
            Text("課金した金額の合計。税抜き。", "Yen charged, without tax."),
            total_of_all("billed_yen_total"),
            YEN,
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
            COUNT,
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
                "確定した通話を結果別に積み上げたもの。失敗が増えたら「通話ライブ」を、"
                "話中と途中放棄が増えたら広告主の受電体制を確かめてください。",
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
                "確定したときの判定。判定待ちは、人が後から決めます。",
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
                "`gateway outbox list` に理由があります。",
                "What became of messages, one for each recipient. Refused, expired and over_quota "
                "ones are not sent again by themselves: `gateway outbox list` has the reasons.",
            ),
            Query(each_of_all("line_messages_total", "result"), "{{result}}"),
            step=_STEP,
        ),
        bars(
            Text("メールの結果", "Mails by result"),
            Text(
                "送信の試みの結果。詳しくは「メール配信」を見てください。",
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
            Text("サービス別の課金額", "Charges by service"),
            Text("税抜き。", "Yen charged, without tax."),
            Query(each_of_all("billed_yen_total", "service"), "{{service}}"),
            unit=YEN,
            step=_STEP,
        ),
        ranking(
            Text("SIMの状態", "SIMs by state"),
            Text("いまのSIMの枚数を状態別に。", "SIMs as they are now, by state."),
            Query(f"sort_desc({stored_of_all('sims', 'state')})", "{{state}}"),
            COUNT,
        ),
        ranking(
            Text("作れなかったもの", "Put aside"),
            Text(
                "期日が来たのにゲートウェイの不具合で作れず、やり直されないものの数。"
                "0でなければ警報PutAsideの手順に従ってください。",
                "What was due and could not be made, for a fault of the gateway; it is not tried "
                "again. Where there is any, see the alarm PutAside.",
            ),
            Query(f"sort_desc({total_of_all('put_aside_total', 'what')})", "{{what}}"),
            COUNT,
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
                "表示期間の通話が多い広告主。名前を押すとその広告主の画面を開きます。",
                "Most calls in the range shown. A click opens the advertiser's dashboard.",
            ),
            _ten("calls"),
            COUNT,
            height=10,
            leads_to="advertiser",
        ),
        ranking(
            Text("LINE送信", "LINE sent"),
            Text("送信したLINEメッセージが多い広告主。", "Most messages sent to LINE friends."),
            _ten("line_sent"),
            COUNT,
            height=10,
            leads_to="advertiser",
        ),
        ranking(
            Text("メール送信", "Mails sent"),
            Text("送信したメールが多い広告主。", "Most mails sent."),
            _ten("mail_sent"),
            COUNT,
            height=10,
            leads_to="advertiser",
        ),
        ranking(
            Text("課金額", "Charges"),
            Text("課金額が多い広告主。税抜き。", "Most yen charged, without tax."),
            _ten("billed_yen"),
            YEN,
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
                "警報の名前は運用手引き（docs/operate.md）の節の名前です。"
                "値だけの一行0は、発報が無いことを表します。",
                "An alarm's name is that of its section in docs/operate.md. One row with a bare 0 "
                "says that none fires.",
            ),
            'count by (alertname, severity) (ALERTS{alertstate="firing"}) or on () vector(0)',
            {
                "alertname": Text("警報", "Alarm"),
                "severity": Text("重さ", "Severity"),
                "Value": Text("件数", "Count"),
            },
            width=18,
        ),
        stat(
            Text("広告主", "Advertisers"),
            Text("値を持つ広告主の数。", "Advertisers whose figures are kept."),
            stored("advertisers"),
            COUNT,
        ),
        stat(
            Text("配信可能な宛先", "Addresses"),
            Text(
                "配信してよいメールアドレスの数。契約ごとに一つと数えます。",
                "Addresses that may be mailed, each once under a contract.",
            ),
            stored_of_all("mail_recipients"),
            COUNT,
        ),
    ),
)

BOARD = Board(
    name="operator",
    title=Text("Tsunagi 全体概要", "Tsunagi: operator's overview"),
    about=Text(
        "すべての広告主の通話・LINE・メール・課金と、発報中の警報。値は5分ごとに集計されます。",
        "Calls, LINE, mail and charges of all advertisers, added up every five minutes, and the "
        "alarms that fire.",
    ),
    span="6h",
    refresh="5m",
    rows=(_SUMMARY, _CALLS, _MESSAGES, _MONEY, _LEADERS, _ALARMS),
)
