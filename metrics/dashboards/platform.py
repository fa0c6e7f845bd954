"""Health of what everything stands on: processes, store, disk, certificate."""

from metrics.dashboards.panels import (
    COUNT,
    INSTANCE,
    SMALL_IS_GOOD,
    UP,
    YES_OR_NO,
    Board,
    Query,
    Row,
    lines,
    stat,
    table,
)
from metrics.dashboards.query import INSTANCE as HERE
from metrics.dashboards.query import quantile, rate, series, stored, total
from metrics.dashboards.text import Text

_FREE = f"{series('disk_free_bytes', HERE)} / {series('disk_size_bytes', HERE)}"
_LEFT = f"{series('certificate_expiry_timestamp_seconds')} - time()"
_DIFFERENCE = stored("reconciliation_difference", "what")

_NOW = Row(
    Text("いま", "Now"),
    (
        stat(
            Text("収集", "Scrapes"),
            Text(
                "Prometheusがすべてのプロセスから値を集められているか。"
                "異常なら警報NotReadyの手順に従ってください。",
                "Whether Prometheus gets the figures of every process. If not, see NotReady.",
            ),
            f"min(up{{{HERE}}})",
            steps=UP,
            values=YES_OR_NO,
        ),
        stat(
            Text("通話の受付", "Takes calls"),
            Text(
                "すべてのプロセスが通話を受け付けているか。停止の途中は異常になります。",
                "Whether every process takes calls; not so while one drains.",
            ),
            f"min({series('ready', HERE)})",
            steps=UP,
            values=YES_OR_NO,
        ),
        stat(
            Text("データベース", "Store"),
            Text(
                "データベースが書き込みを受け付けているか。異常なら警報StoreDownを見てください。",
                "Whether the store takes transactions. If not, see the alarm StoreDown.",
            ),
            f"min({series('store_up', HERE)})",
            steps=UP,
            values=YES_OR_NO,
        ),
        stat(
            Text("ディスクの空き", "Disk free"),
            Text(
                "最も少ない場所の空きの割合。20%を下回ると警報DiskLowになります。",
                "The smallest share that is left. Below 20 % it is the alarm DiskLow.",
            ),
            f"min({_FREE})",
            "percentunit",
            steps=((0, "red"), (0.05, "yellow"), (0.2, "green")),
        ),
        stat(
            Text("証明書の残り", "Certificate"),
            Text(
                "最も早く切れる証明書の残り。14日を切ると警報CertificateExpiresです。",
                "Until the first certificate ends. Below 14 days: the alarm CertificateExpires.",
            ),
            f"min({_LEFT})",
            "s",
            steps=((0, "red"), (3 * 86_400, "yellow"), (14 * 86_400, "green")),
        ),
        stat(
            Text("照合の差異", "Differences"),
            Text(
                "昨日と今日の通話で、キャリアの一覧と合わないもの。"
                "警報ReconciliationDifferenceの手順に従ってください。",
                "Calls of yesterday and today that the carrier's own list tells otherwise: see the "
                "alarm ReconciliationDifference.",
            ),
            f"sum({_DIFFERENCE})",
            COUNT,
            steps=SMALL_IS_GOOD,
        ),
        stat(
            Text("集計の不具合", "Faults of counting"),
            Text(
                "表示期間に値を数えるか読むのに失敗した回数。ゲートウェイの不具合です: "
                "警報ObserverFaultsの手順に従ってください。",
                "Times that counting or reading a figure failed: a fault of the gateway, see the "
                "alarm ObserverFaults.",
            ),
            total("observer_faults_total", where=HERE),
            COUNT,
            steps=SMALL_IS_GOOD,
        ),
        stat(
            Text("省かれた広告主", "Left out"),
            Text(
                "表示期間に収集から省かれた広告主の延べ数。0でなければ"
                "[metrics] max_advertisersを上げてください（警報AdvertisersLeftOut）。",
                "Advertisers that scrapes left out, each scrape anew. Where there are any, raise "
                "[metrics] max_advertisers: see the alarm AdvertisersLeftOut.",
            ),
            total("advertisers_left_out_total", where=HERE),
            COUNT,
            steps=SMALL_IS_GOOD,
        ),
    ),
)

_STORE = Row(
    Text("データベース", "Store"),
    (
        lines(
            Text("コミットの時間", "Commit time"),
            Text(
                "一つのトランザクションの始めからディスクへの確定まで。長いときはディスクが遅いか、"
                "ロックを待っています。",
                "Of one transaction, to its commit on disk. Long ones: a slow disk, or locks.",
            ),
            Query(quantile(0.5, "store_commit_seconds", where=HERE), "50 %"),
            Query(quantile(0.95, "store_commit_seconds", where=HERE), "95 %"),
            Query(quantile(0.99, "store_commit_seconds", where=HERE), "99 %"),
            unit="s",
            width=8,
        ),
        lines(
            Text("一括の大きさ", "Batch size"),
            Text(
                "一つのトランザクションが運んだ単位。256に近いと一つのコアの限界です。",
                "Units that one transaction carried. Near 256 a core has more than it can do.",
            ),
            Query(quantile(0.5, "store_batch_size", where=HERE), "50 %"),
            Query(quantile(0.99, "store_batch_size", where=HERE), "99 %"),
            width=8,
        ),
        lines(
            Text("書込み待ち", "Queue"),
            Text(
                "書き込みを待つ単位。2,000でWebhookはスプールに退避されます。",
                "Units waiting for the writer. At 2,000 webhooks go to the spool.",
            ),
            Query(series("store_queue_units", HERE), "{{instance}}"),
            width=8,
        ),
        lines(
            Text("最も古い書込み待ち", "Oldest in the queue"),
            Text(
                "点線の0.5秒を超え続けると警報StoreQueueOld、1秒で新しいWebhookは退避されます。",
                "Above the dashed line, 0.5 s, it is the alarm StoreQueueOld; at 1 s new webhooks "
                "go to the spool.",
            ),
            Query(series("store_queue_oldest_seconds", HERE), "{{instance}}"),
            unit="s",
            width=8,
            steps=((0, "green"), (0.5, "red")),
        ),
        lines(
            Text("最後のコミットからの時間", "Since the last commit"),
            Text(
                "通話があるのに伸び続けるときは、書き込めていません。",
                "Where it keeps growing while there are calls, nothing is written.",
            ),
            Query(
                f"time() - {series('store_last_commit_timestamp_seconds', HERE)}",
                "{{instance}}",
            ),
            unit="s",
            width=8,
        ),
        lines(
            Text("経路キャッシュの古さ", "Age of the route cache"),
            Text(
                "データベースが落ちたとき、この時点の設定で転送されます。",
                "Should the store fail, calls are forwarded by the settings of then.",
            ),
            Query(series("route_cache_age_seconds", HERE), "{{instance}}"),
            unit="s",
            width=8,
        ),
    ),
)

_EFFECTS = Row(
    Text("送信箱とスプール", "Outbox and spool"),
    (
        lines(
            Text("送信箱の待ち", "Outbox waiting"),
            Text(
                "種類別に、届けるのを待つもの。空なら0の線だけが見えます。",
                "What waits to be delivered, by kind. Where nothing does, a line at 0.",
            ),
            Query(f"{stored('outbox_pending', 'kind')} or on () vector(0)", "{{kind}}"),
            width=8,
        ),
        lines(
            Text("送信箱で最も古いもの", "Oldest in the outbox"),
            Text(
                "期限からの経過。line.replyは20秒で警報LineRepliesLate、ほかはOutboxOld。",
                "Time since the oldest was due. For line.reply 20 s is the alarm LineRepliesLate; "
                "for others see OutboxOld.",
            ),
            Query(f"{stored('outbox_oldest_seconds', 'kind')} or on () vector(0)", "{{kind}}"),
            unit="s",
            width=8,
        ),
        lines(
            Text("スプールの使用率", "Spool used"),
            Text(
                "確保した領域のうち、データベースを待つイベントが占める割合。"
                "領域を確保できなかったときは値がありません。",
                "Of the space reserved, what waits for the store. No value where no space could "
                "be reserved.",
            ),
            Query(
                f"{series('spool_bytes', HERE)} / {series('spool_capacity_bytes', HERE)}",
                "{{instance}}",
            ),
            unit="percentunit",
            width=8,
            steps=((0, "green"), (0.8, "red")),
            highest=1,
        ),
    ),
)

_GROUND = Row(
    Text("ディスク・証明書・照合", "Disk, certificate, reconciliation"),
    (
        lines(
            Text("ディスクの空き", "Disk free"),
            Text(
                "場所とプロセスごと。databaseはSQLiteのときだけあります。",
                "By folder and process; database: with SQLite only.",
            ),
            Query(series("disk_free_bytes", HERE), "{{instance}} {{folder}}"),
            unit="bytes",
            width=8,
        ),
        lines(
            Text("証明書の残り", "Until certificates end"),
            Text(
                "[metrics] certificates_ofのサーバーごと。更新されれば線が上がります。",
                "By server of [metrics] certificates_of. A renewal lifts the line.",
            ),
            Query(
                "min by (server) (" + _LEFT + ")",
                "{{server}}",
            ),
            unit="s",
            width=8,
            steps=((0, "red"), (14 * 86_400, "green")),
        ),
        lines(
            Text("照合の差異", "Differences of reconciliation"),
            Text(
                "当方に無い通話はWebhookが届かなかったもの: 警報ReconciliationDifference。",
                "missing_here: their webhooks did not reach us, see ReconciliationDifference.",
            ),
            Query(_DIFFERENCE, "{{what}}"),
            width=8,
        ),
    ),
)

_PROCESSES = Row(
    Text("プロセス", "Processes"),
    (
        lines(
            Text("CPU", "CPU"),
            Text(
                "1が一つのコアです。1に近いときは、PostgreSQLでプロセスを増やします。",
                "1 is one core. Near 1 let several processes share the work, on PostgreSQL.",
            ),
            Query(rate("process_cpu_seconds_total", "instance", HERE), "{{instance}}"),
            width=8,
        ),
        lines(
            Text("メモリ", "Memory"),
            Text(
                "実際に使っている量と、予約した量。増え続けるときは報告してください。",
                "Held, and asked for. Where what is held keeps growing, report it.",
            ),
            Query(
                series("process_resident_memory_bytes", HERE),
                Text("{{instance}} 使用", "{{instance}} held"),
            ),
            Query(
                series("process_virtual_memory_bytes", HERE),
                Text("{{instance}} 予約", "{{instance}} asked for"),
            ),
            unit="bytes",
            width=8,
        ),
        lines(
            Text("イベントループの遅れ", "Loop lag"),
            Text(
                "タイマーの遅れ。99%が点線の50ミリ秒を超え続けると警報LoopLateになります。",
                "How late timers wake. Where 99 % stays above the dashed line, 50 ms, it is the "
                "alarm LoopLate.",
            ),
            Query(quantile(0.5, "loop_lag_seconds", where=HERE), "50 %"),
            Query(quantile(0.99, "loop_lag_seconds", where=HERE), "99 %"),
            Query(quantile(0.999, "loop_lag_seconds", where=HERE), "99.9 %"),
            unit="s",
            width=8,
            steps=((0, "green"), (0.05, "red")),
        ),
        lines(
            Text("開いているファイルと接続", "Files and connections"),
            Text(
                "上限に対する割合。1になると接続を受けられません: LimitNOFILEを上げてください。",
                "Of as many as may be. At 1 no connection is taken: raise LimitNOFILE.",
            ),
            Query(
                f"{series('process_open_fds', HERE)} / {series('process_max_fds', HERE)}",
                "{{instance}}",
            ),
            unit="percentunit",
            width=8,
            steps=((0, "green"), (0.8, "red")),
        ),
        lines(
            Text("広告主", "Advertisers"),
            Text(
                "値を持つ広告主の数。どのプロセスも同じになります。",
                "Advertisers whose figures are kept; every process comes to the same.",
            ),
            Query(series("advertisers", HERE), "{{instance}}"),
            width=8,
        ),
        lines(
            Text("最後の照合からの時間", "Since the last reconciliation"),
            Text(
                "26時間を超えると警報ReconciliationOldになります。",
                "Above 26 hours it is the alarm ReconciliationOld.",
            ),
            Query(
                f"time() - max({series('reconciliation_timestamp_seconds')})",
                Text("経過", "age"),
            ),
            unit="s",
            width=8,
        ),
        table(
            Text("版と稼働時間", "Versions and uptime"),
            Text(
                "プロセスごとの版と、起動してからの時間。更新の後は同じ版に揃います。",
                "Of each process, its version and for how long it has run. After an upgrade all "
                "have the same version.",
            ),
            f"time() - max by (instance, version) ({series('process_start_time_seconds', HERE)}"
            f" * on (job, instance) group_left (version) {series('build_info', HERE)})",
            {
                "instance": Text("プロセス", "Process"),
                "version": Text("版", "Version"),
                "Value": Text("稼働時間", "Uptime"),
            },
            unit="s",
            width=24,
            height=6,
        ),
    ),
)

BOARD = Board(
    name="platform",
    title=Text("Tsunagi 基盤の状態", "Tsunagi: platform health"),
    about=Text(
        "プロセス、データベース、送信箱、ディスク、証明書、照合。",
        "Processes, store, outbox, disk, certificate, reconciliation.",
    ),
    span="6h",
    refresh="30s",
    variables=(INSTANCE,),
    rows=(_NOW, _STORE, _EFFECTS, _GROUND, _PROCESSES),
)
