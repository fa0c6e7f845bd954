"""Delivery of mail: what goes out, what comes back, and what stands between."""

from metrics.dashboards.panels import (
    COUNT,
    SMALL_IS_GOOD,
    Board,
    Query,
    Row,
    bars,
    lines,
    ranking,
    stat,
)
from metrics.dashboards.query import (
    bounce_shares,
    each_of_all,
    leaders,
    ratio,
    series,
    stored,
    stored_of_all,
    total_of_all,
)
from metrics.dashboards.text import Text

_STEP = "10m"
_KINDS = 'kind=~"mail[.].*"'
_BOUNCED = 'class!~"complaint|unwritable"'
_TRIED = 'result=~"sent|failed"'
_COMPLAINTS = 'class="complaint"'
_SENT = 'result="sent"'

_WAITING = f"{stored('outbox_pending', 'kind', _KINDS)} or on () vector(0)"

_NOW = Row(
    Text("まとめ", "Summary"),
    (
        stat(
            Text("送信", "Sent"),
            Text("表示期間に中継サーバーが受け取ったメールの数。", "Mails that a relay took."),
            total_of_all("mail_messages_total", where=_SENT),
        ),
        stat(
            Text("不達率", "Bounce share"),
            Text(
                "表示期間の、送信と失敗の合計に対する不達の割合。苦情と作成不可は含みません。"
                "警報MailBouncesは広告主ごとに、送信と失敗が1日200通を超え、不達が5%を超えると"
                "発報します。",
                "Bounces beside all that was sent or failed, without complaints and unwritable "
                "ones. Where an advertiser's is above 5 % in a day, of more than 200 mails, it is "
                "the alarm MailBounces.",
            ),
            ratio(
                total_of_all("mail_bounces_total", where=_BOUNCED),
                total_of_all("mail_messages_total", where=_TRIED),
            ),
            "percentunit",
            decimals=2,
            steps=((0, "green"), (0.02, "yellow"), (0.05, "red")),
        ),
        stat(
            Text("苦情率", "Complaint share"),
            Text(
                "表示期間の送信に対する苦情の割合。GmailとYahooは0.1%未満を求め、0.3%から拒否し始めます。"
                "警報MailComplaintsは広告主ごとに、送信と失敗が1日1,000通を超え、苦情が0.1%を"
                "超えると発報します。",
                "Complaints beside mails sent. Gmail and Yahoo want less than 0.1 %, and begin to "
                "refuse at 0.3 %. Where an advertiser's is above 0.1 % in a day, of more than "
                "1,000 mails, it is the alarm MailComplaints.",
            ),
            ratio(
                total_of_all("mail_bounces_total", where=_COMPLAINTS),
                total_of_all("mail_messages_total", where=_SENT),
            ),
            "percentunit",
            decimals=3,
            steps=((0, "green"), (0.001, "yellow"), (0.003, "red")),
        ),
        stat(
            Text("保留", "Held"),
            Text(
                "表示期間に、送信できたか不明になったメール。警報MailsHeldの手順に従ってください。",
                "Mails of which nobody knows whether they went: see the alarm MailsHeld.",
            ),
            total_of_all("mail_messages_total", where='result="held"'),
            steps=SMALL_IS_GOOD,
        ),
        stat(
            Text("送信処理中のメール", "In hand"),
            Text(
                "プロセスが送信処理を始め、まだ完了していないメール。一時停止すると数秒で0になります。",
                "Mails that processes have claimed and not settled; 0 seconds after a pause.",
            ),
            f"sum({series('mail_in_hand')})",
        ),
        stat(
            Text("送信待ちの個別メール", "Single mails waiting"),
            Text(
                "登録確認やテスト送信など、1通ずつ送るメールの送信待ちの件数。",
                "Mails one by one, such as of sign-ups and trials, that wait.",
            ),
            f"sum({_WAITING})",
        ),
        stat(
            Text("中継サーバーの失敗", "Relay failures"),
            Text(
                "中継サーバーへの接続の連続失敗回数（最大のもの）。3を超えると警報MailRelayAwayです。",
                "Connections in a row that came to nothing, of the worst relay. Above 3 it is the "
                "alarm MailRelayAway.",
            ),
            f"max({series('mail_relay_failures')})",
            steps=((0, "green"), (1, "yellow"), (4, "red")),
        ),
        stat(
            Text("配信可能な宛先", "Addresses"),
            Text(
                "配信してよいアドレスの数。契約ごとに1件と数えます。",
                "Addresses that may be mailed, each once under a contract.",
            ),
            stored_of_all("mail_recipients"),
        ),
    ),
)

_OUT = Row(
    Text("送信", "Going out"),
    (
        bars(
            Text("メールの結果", "Mails by result"),
            Text(
                "送信を試みた結果。再送待ちが続くときは、送信先のサーバーが受信量を制限しています。",
                "What came of attempts. Many deferred: servers are throttling.",
            ),
            Query(each_of_all("mail_messages_total", "result"), "{{result}}"),
            width=16,
            step=_STEP,
        ),
        bars(
            Text("配信の終了と一時停止", "Campaigns ended or paused"),
            Text(
                "一時停止があれば、運用手引きのMailCampaignPausedを見てください。",
                "Where any was paused, see MailCampaignPaused in docs/operate.md.",
            ),
            Query(each_of_all("mail_campaigns_total", "result"), "{{result}}"),
            width=8,
            step=_STEP,
        ),
        lines(
            Text("送信処理中のメール", "Mails in hand"),
            Text(
                "プロセス別。減らないときは中継サーバーの応答を確認してください。",
                "By process. Where they do not fall, look at what the relay answers.",
            ),
            Query(series("mail_in_hand"), "{{instance}}"),
            width=8,
        ),
        lines(
            Text("中継サーバーの連続失敗", "Relay failures in a row"),
            Text(
                "0なら応答しています。送るメールがある間だけ更新されます。",
                "0 while it answers. It moves only while there is something to send.",
            ),
            Query(f"max by (relay) ({series('mail_relay_failures')})", "{{relay}}"),
            width=8,
            steps=((0, "green"), (4, "red")),
        ),
        lines(
            Text("送信待ちの個別メール", "Single mails waiting"),
            Text(
                "送信待ちの件数（種類別）。増え続けるときは`gateway outbox list`を見てください。",
                "By kind. Where they keep growing, see `gateway outbox list`.",
            ),
            Query(_WAITING, "{{kind}}"),
            width=8,
        ),
    ),
)

_BACK = Row(
    Text("不達・苦情", "Coming back"),
    (
        bars(
            Text("不達と苦情", "Bounces and complaints"),
            Text(
                "種類別。ブロック・迷惑メール判定・ポリシー違反が多いときは、"
                "送信元の評価（レピュテーション）が下がっています。",
                "By class. Many blocked, spam, policy: the sender has a bad name.",
            ),
            Query(each_of_all("mail_bounces_total", "class"), "{{class}}"),
            width=12,
            height=9,
            step=_STEP,
        ),
        ranking(
            Text("不達が多い広告主", "Advertisers with most bounces"),
            Text(
                "クリックするとその広告主のダッシュボードを開きます。",
                "A click opens the advertiser's dashboard.",
            ),
            Query(leaders(10, "mail_bounces"), "{{advertiser}}"),
            height=9,
            leads_to="advertiser",
        ),
        ranking(
            Text("不達率が高い広告主", "Worst bounce shares"),
            Text(
                "直近24時間の、送信と失敗の合計に対する不達の割合（表示期間によりません）。"
                "200通未満は200通とみなします。5%を超えると警報MailBouncesになります。",
                "Bounces beside all that was sent or failed in the last 24 hours, whatever range "
                "is shown. Fewer than 200 mails count as 200. Above 5 %: the alarm MailBounces.",
            ),
            Query(bounce_shares(10), "{{advertiser}}"),
            "percentunit",
            decimals=2,
            height=9,
            leads_to="advertiser",
        ),
    ),
)

_RECIPIENTS = Row(
    Text("宛先", "Recipients"),
    (
        lines(
            Text("配信可能な宛先", "Addresses"),
            Text(
                "すべての広告主の合計。急に減ったときは配信停止か不達を見てください。",
                "Of all advertisers. A sudden fall: look at stops and bounces.",
            ),
            Query(stored_of_all("mail_recipients"), Text("宛先", "addresses")),
            unit=COUNT,
            width=8,
            step="1m",
        ),
        bars(
            Text("登録", "Sign-ups"),
            Text(
                "フォームと空メールによる登録。上限による拒否が多いときは悪用を疑ってください。",
                "By form and empty mail. Many limited ones: somebody may be abusing the form.",
            ),
            Query(each_of_all("mail_signups_total", "result"), "{{result}}"),
            width=8,
            step=_STEP,
        ),
        bars(
            Text("反応", "Responses"),
            Text(
                "クリックと開封。ボットによるものは別に数えます。",
                "Clicks and opens; those of programs apart.",
            ),
            Query(each_of_all("mail_responses_total", "what"), "{{what}}"),
            width=8,
            step=_STEP,
        ),
    ),
)

BOARD = Board(
    name="mail",
    title=Text("Tsunagi メール配信", "Tsunagi: mail delivery"),
    about=Text(
        "送信の結果、不達と苦情、中継サーバー、宛先。送信と不達の数値は5分ごとに集計するため、"
        "最大11分遅れます。棒グラフは終わった時間帯だけを表示し、現在の時間帯は含みません。",
        "Results of sending, bounces and complaints, relays, recipients. What was sent and came "
        "back is added up every five minutes, so it is up to eleven minutes behind. "
        "Bars end at the last full step.",
    ),
    span="6h",
    refresh="1m",
    rows=(_NOW, _OUT, _BACK, _RECIPIENTS),
)
