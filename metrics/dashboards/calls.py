"""Calls as they come: the webhooks, how fast they are answered, and the spool behind them."""

from metrics.dashboards.panels import (
    INSTANCE,
    SMALL_IS_GOOD,
    Board,
    Query,
    Row,
    lines,
    ranking,
    stat,
)
from metrics.dashboards.query import INSTANCE as HERE
from metrics.dashboards.query import (
    quantile,
    rate,
    rate_of_all,
    ratio,
    series,
    stored,
    top,
    total,
)
from metrics.dashboards.text import Text

_ERRORS = f'{HERE}, status=~"5.."'
_PROMISED = ((0, "green"), (0.5, "yellow"), (2, "red"))
"""2 s is the promise for a forwarded call."""

_NOW = Row(
    Text("現在", "Now"),
    (
        stat(
            Text("進行中の通話", "Calls in progress"),
            Text(
                "まだ終わっていない通話の数。どのプロセスでも同じ値です。",
                "Calls that have not ended; every process tells the same.",
            ),
            stored("calls_in_progress"),
        ),
        stat(
            Text("Webhook", "Webhooks"),
            Text("1秒あたりに応答したWebhookの数。", "Webhooks answered in a second."),
            rate("webhooks_total", where=HERE),
            "reqps",
            decimals=1,
        ),
        stat(
            Text("エラー率", "Errors"),
            Text(
                "5xxで応答した割合（全経路の合計）。警報WebhookErrorsは、プロセスと経路ごとに"
                "1%を超えると発報します。",
                "Those answered with a 5xx, of all routes. Where one route of one process is above "
                "1 % it is the alarm WebhookErrors.",
            ),
            ratio(rate("webhooks_total", where=_ERRORS), rate("webhooks_total", where=HERE)),
            "percentunit",
            decimals=2,
            steps=((0, "green"), (0.001, "yellow"), (0.01, "red")),
        ),
        stat(
            Text("応答時間 99%", "Answer time, 99 %"),
            Text(
                "Webhookの99%がこの時間内に応答しています。転送の応答時間の上限は2秒です。",
                "99 % of webhooks are answered within this. 2 s is the promise for a call.",
            ),
            quantile(0.99, "webhook_seconds", where=HERE),
            "s",
            decimals=1,
            steps=_PROMISED,
        ),
        stat(
            Text("拒否", "Refused"),
            Text(
                "表示期間に、送信元の誤りとして拒否したリクエストの数。",
                "Requests refused as the caller's fault in the range shown.",
            ),
            total("refusals_total", where=HERE),
        ),
        stat(
            Text("退避したイベント", "Spooled"),
            Text(
                "表示期間に、データベースが受け取れずスプールに退避したイベントの数。"
                "0でなければ「基盤の状態」を見てください。",
                "Events that the store did not take in the range shown; they went to the spool. "
                "Where there are any, see “Platform health”.",
            ),
            total("spool_events_total", where=HERE),
            steps=SMALL_IS_GOOD,
        ),
        stat(
            Text("スプールの滞留量", "Spool waiting"),
            Text(
                "スプールで書き込みを待つイベントの量。データベースが復旧すると自動で空になります。",
                "What of the spool waits for the store. It empties by itself.",
            ),
            f"sum({series('spool_bytes', HERE)})",
            "bytes",
            decimals=1,
            steps=SMALL_IS_GOOD,
        ),
        stat(
            Text("処理不能", "Dead records"),
            Text(
                "5回失敗し、手動対応待ちのイベント。警報SpoolDeadの手順に従ってください。",
                "Events that failed five times and wait for a person: see the alarm SpoolDead.",
            ),
            f"sum({series('spool_dead_records', HERE)})",
            steps=SMALL_IS_GOOD,
        ),
    ),
)

_CALLS = Row(
    Text("通話", "Calls"),
    (
        lines(
            Text("進行中の通話", "Calls in progress"),
            Text(
                "まだ終わっていない通話の数。減らないときは終話の通知が届いていません。",
                "Calls that have not ended. Where it never falls, their ends are not told to us.",
            ),
            Query(stored("calls_in_progress"), Text("進行中", "in progress")),
            width=8,
        ),
        lines(
            Text("確定した通話（毎分）", "Calls settled a minute"),
            Text(
                "すべての広告主の、毎分の結果。失敗が目立つときはキャリアの状態を確認してください。",
                "Of all advertisers, by result. Where failures stand out, look at the carrier.",
            ),
            Query(f"{rate_of_all('calls_total', 'result')} * 60", "{{result}}"),
            width=8,
            step="1m",
        ),
        lines(
            Text("通話の特記事項（毎分）", "Notes of calls a minute"),
            Text(
                "通常と異なる通話。未知の通話が多いときは、音声Webhookが届いていません。"
                "時間切れで確定が多いときは、終話の通知が失われています。",
                "Unusual things. Many unknown calls: their voice webhooks do not reach us. Many "
                "swept ones: their ends are lost on the way.",
            ),
            Query(f"{rate('call_notes_total', 'what', HERE)} * 60", "{{what}}"),
            width=8,
        ),
    ),
)

_WEBHOOKS = Row(
    Text("Webhook", "Webhooks"),
    (
        lines(
            Text("経路別", "By route"),
            Text("1秒あたりのWebhookの数。", "Webhooks a second."),
            Query(rate("webhooks_total", "provider, route", HERE), "{{provider}} {{route}}"),
            unit="reqps",
        ),
        lines(
            Text("ステータスコード別", "By status"),
            Text(
                "403は署名の誤り、503はデータベースにもスプールにも保存できなかったことを表します。",
                "403: wrong signatures. 503: store and spool both refused.",
            ),
            Query(rate("webhooks_total", "status", HERE), "{{status}}"),
            unit="reqps",
        ),
        lines(
            Text("応答時間", "Answer time"),
            Text(
                "受信から応答まで。点線は0.5秒と、転送の上限の2秒です。",
                "From receipt to answer. The dashed lines are 0.5 s, and 2 s: the promise.",
            ),
            Query(quantile(0.5, "webhook_seconds", where=HERE), "50 %"),
            Query(quantile(0.95, "webhook_seconds", where=HERE), "95 %"),
            Query(quantile(0.99, "webhook_seconds", where=HERE), "99 %"),
            unit="s",
            steps=_PROMISED,
        ),
        lines(
            Text("経路別の応答時間 99%", "Answer time by route, 99 %"),
            Text(
                "1つの経路だけ遅いときはその処理を、すべて遅いときはデータベースを疑ってください。",
                "One slow route: what it does. All of them: the store.",
            ),
            Query(
                quantile(0.99, "webhook_seconds", "provider, route", HERE),
                "{{provider}} {{route}}",
            ),
            unit="s",
            steps=_PROMISED,
        ),
    ),
)

_REFUSALS = Row(
    Text("拒否", "Refusals"),
    (
        ranking(
            Text("拒否の理由", "Reasons of refusals"),
            Text(
                "表示期間に多い理由の上位15件。signature_wrongはpublic_urlかトークンの不一致です。"
                "警報SignaturesRefusedの手順を見てください。",
                "The fifteen most frequent in the range shown. signature_wrong: public_url or a "
                "token differs, see the alarm SignaturesRefused.",
            ),
            Query(
                top(15, total("refusals_total", "provider, reason", HERE)),
                "{{provider}} {{reason}}",
            ),
            width=12,
            height=10,
        ),
        lines(
            Text("拒否（毎分）", "Refusals a minute"),
            Text(
                "プラットフォーム別の拒否。急な増加は設定の誤りか攻撃です。",
                "By platform. A sudden rise is a wrong setting, or an attack.",
            ),
            Query(f"{rate('refusals_total', 'provider', HERE)} * 60", "{{provider}}"),
            height=10,
        ),
    ),
)

_SPOOL = Row(
    Text("スプール", "Spool"),
    (
        lines(
            Text("退避したイベント（毎分）", "Events spooled a minute"),
            Text(
                "理由別。それぞれの意味は運用手引きのCallsDegradedにあります。",
                "By the trouble that sent them there: see CallsDegraded in docs/operate.md.",
            ),
            Query(f"{rate('spool_events_total', 'reason', HERE)} * 60", "{{reason}}"),
            width=6,
        ),
        lines(
            Text("スプールの量", "Size of the spool"),
            Text(
                "書き込みを待つ量と、確保した領域の合計。"
                "プロセスごとに80%を超えると警報SpoolNearlyFullになります。",
                "What waits, and the space reserved in all. Where one process is above 80 % of its "
                "own, it is the alarm SpoolNearlyFull.",
            ),
            Query(series("spool_bytes", HERE), "{{instance}}"),
            Query(f"sum({series('spool_capacity_bytes', HERE)})", Text("確保した領域", "reserved")),
            unit="bytes",
            width=6,
        ),
        lines(
            Text("最も古いイベント", "Oldest event"),
            Text(
                "スプールで最も長く待っているイベントの待ち時間。空なら0です。",
                "How long the oldest event in the spool has waited; 0 where it is empty.",
            ),
            Query(series("spool_oldest_seconds", HERE), "{{instance}}"),
            unit="s",
            width=6,
        ),
        lines(
            Text("再投入（毎分）", "Replayed a minute"),
            Text(
                "スプールからデータベースに書き込んだイベント。復旧後に増え、空になると止まります。",
                "Events of the spool that reach the store. They rise once it is back.",
            ),
            Query(f"{rate('spool_replayed_total', 'instance', HERE)} * 60", "{{instance}}"),
            width=6,
        ),
    ),
)

BOARD = Board(
    name="calls",
    title=Text("Tsunagi 通話ライブ", "Tsunagi: calls live"),
    about=Text(
        "進行中の通話、Webhookの量と速さ、拒否、スプール。",
        "Calls in progress, webhooks and how fast they are answered, refusals, the spool.",
    ),
    span="1h",
    refresh="10s",
    variables=(INSTANCE,),
    rows=(_NOW, _CALLS, _WEBHOOKS, _REFUSALS, _SPOOL),
)
