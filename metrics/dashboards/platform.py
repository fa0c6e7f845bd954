"""Health of what everything stands on: processes, store, disk, certificate."""

from metrics.dashboards.panels import (
    DAYS,
    DURATION,
    HOURS,
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
_LEFT = f"(({series('certificate_expiry_timestamp_seconds')} > 0) - time()) / 86400"
"""In days; not of servers whose certificate was never read: they stand at 0."""
_DIFFERENCE = stored("reconciliation_difference", "what")

_NOW = Row(
    Text("現在", "Now"),
    (
        stat(
            Text("メトリクス収集", "Scrapes"),
            Text(
                "Prometheusがすべてのプロセスからメトリクスを収集できているか。"
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
                "すべてのプロセスが通話を受け付けているか。停止処理中は「異常」になります。",
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
                "空きの割合が最も小さいフォルダーの値。20%を下回ると警報DiskLowになります。",
                "The smallest share that is left. Below 20 % it is the alarm DiskLow.",
            ),
            f"min({_FREE})",
            "percentunit",
            steps=((0, "red"), (0.05, "yellow"), (0.2, "green")),
        ),
        stat(
            Text("証明書の残り日数", "Certificate"),
            Text(
                "最も早く期限が切れる証明書の残り日数。14日を切ると警報CertificateExpiresです。"
                "まだ一度も読み取れていない証明書は含みません（警報CertificateUnread）。",
                "Until the first certificate ends. Below 14 days: the alarm CertificateExpires. "
                "Those that were never read are left out: the alarm CertificateUnread.",
            ),
            f"min({_LEFT})",
            DAYS,
            decimals=1,
            steps=((0, "red"), (3, "yellow"), (14, "green")),
        ),
        stat(
            Text("照合の差異", "Differences"),
            Text(
                "昨日と今日の通話のうち、キャリアの通話一覧と一致しない件数。"
                "警報ReconciliationDifferenceの手順に従ってください。",
                "Calls of yesterday and today that the carrier's own list tells otherwise: see the "
                "alarm ReconciliationDifference.",
            ),
            f"sum({_DIFFERENCE})",
            steps=SMALL_IS_GOOD,
        ),
        stat(
            Text("集計の不具合", "Faults of counting"),
            Text(
                "表示期間に、メトリクスの計上または読み取りに失敗した回数。ゲートウェイの不具合です。"
                "警報ObserverFaultsの手順に従ってください。",
                "Times that counting or reading a figure failed: a fault of the gateway, see the "
                "alarm ObserverFaults.",
            ),
            total("observer_faults_total", where=HERE),
            steps=SMALL_IS_GOOD,
        ),
        stat(
            Text("除外された広告主", "Left out"),
            Text(
                "表示期間に、上限を超えてメトリクスから除外された広告主の延べ数。0でなければ"
                "[metrics] max_advertisersを上げてください（警報AdvertisersLeftOut）。",
                "Advertisers that scrapes left out, each scrape anew. Where there are any, raise "
                "[metrics] max_advertisers: see the alarm AdvertisersLeftOut.",
            ),
            total("advertisers_left_out_total", where=HERE),
            steps=SMALL_IS_GOOD,
        ),
    ),
)

_STORE = Row(
    Text("データベース", "Store"),
    (
        lines(
            Text("コミット時間", "Commit time"),
            Text(
                "1トランザクションの開始からディスクへのコミットまで。長いときはディスクが遅いか、"
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
            Text("バッチサイズ", "Batch size"),
            Text(
                "1トランザクションで書き込んだ件数。256に近いときは1コアの処理能力の限界です。",
                "Units that one transaction carried. Near 256 a core has more than it can do.",
            ),
            Query(quantile(0.5, "store_batch_size", where=HERE), "50 %"),
            Query(quantile(0.99, "store_batch_size", where=HERE), "99 %"),
            width=8,
        ),
        lines(
            Text("書き込み待ち", "Queue"),
            Text(
                "書き込み待ちの件数。2,000でWebhookはスプールに退避されます。",
                "Units waiting for the writer. At 2,000 webhooks go to the spool.",
            ),
            Query(series("store_queue_units", HERE), "{{instance}}"),
            width=8,
        ),
        lines(
            Text("最長の書き込み待ち時間", "Oldest in the queue"),
            Text(
                "点線の0.5秒を超え続けると警報StoreQueueOldになり、1秒で新しいWebhookは退避されます。",
                "Above the dashed line, 0.5 s, it is the alarm StoreQueueOld; at 1 s new webhooks "
                "go to the spool.",
            ),
            Query(series("store_queue_oldest_seconds", HERE), "{{instance}}"),
            unit="s",
            width=8,
            steps=((0, "green"), (0.5, "red")),
        ),
        lines(
            Text("最後のコミットからの経過時間", "Since the last commit"),
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
            Text("経路キャッシュの経過時間", "Age of the route cache"),
            Text(
                "データベースの停止中は、この時間だけ前の設定で転送されます。",
                "Should the store fail, calls are forwarded by the settings of then.",
            ),
            Query(series("route_cache_age_seconds", HERE), "{{instance}}"),
            unit="s",
            width=8,
        ),
    ),
)

_EFFECTS = Row(
    Text("アウトボックスとスプール", "Outbox and spool"),
    (
        lines(
            Text("アウトボックスの送信待ち", "Outbox waiting"),
            Text(
                "送信待ちの件数（種類別）。空なら0の線だけを表示します。",
                "What waits to be delivered, by kind. Where nothing does, a line at 0.",
            ),
            Query(f"{stored('outbox_pending', 'kind')} or on () vector(0)", "{{kind}}"),
            width=8,
        ),
        lines(
            Text("アウトボックスの最大遅延", "Oldest in the outbox"),
            Text(
                "送信予定時刻からの最大の遅れ（種類別）。line.replyは20秒を超えると警報LineRepliesLate、"
                "ほかは警報OutboxOldを見てください。",
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
                "領域を確保できなかったときは表示されません。",
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
                "プロセスとフォルダー別。databaseはSQLiteのときだけ表示します。",
                "By folder and process; database: with SQLite only.",
            ),
            Query(series("disk_free_bytes", HERE), "{{instance}} {{folder}}"),
            unit="bytes",
            width=8,
        ),
        lines(
            Text("証明書の残り日数", "Until certificates end"),
            Text(
                "[metrics] certificates_ofのサーバー別。証明書を更新すると線が上がります。",
                "By server of [metrics] certificates_of. A renewal lifts the line.",
            ),
            Query(f"min by (server) ({_LEFT})", "{{server}}"),
            unit=DAYS,
            width=8,
            steps=((0, "red"), (14, "green")),
        ),
        lines(
            Text("照合の差異", "Differences of reconciliation"),
            Text(
                "「当方に記録なし」はWebhookが届かなかった通話です。"
                "警報ReconciliationDifferenceの手順に従ってください。",
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
                "1が1コアです。1に近いときは、PostgreSQLを使いプロセスを増やしてください。",
                "1 is one core. Near 1 let several processes share the work, on PostgreSQL.",
            ),
            Query(rate("process_cpu_seconds_total", "instance", HERE), "{{instance}}"),
            width=8,
        ),
        lines(
            Text("メモリ", "Memory"),
            Text(
                "実使用量と仮想メモリの量。実使用量が増え続けるときは開発元に報告してください。",
                "Held, and asked for. Where what is held keeps growing, report it.",
            ),
            Query(
                series("process_resident_memory_bytes", HERE),
                Text("{{instance}} 実使用", "{{instance}} held"),
            ),
            Query(
                series("process_virtual_memory_bytes", HERE),
                Text("{{instance}} 仮想", "{{instance}} asked for"),
            ),
            unit="bytes",
            width=8,
        ),
        lines(
            Text("イベントループの遅れ", "Loop lag"),
            Text(
                "タイマーの遅れ。プロセスごとの99%値が点線の50ミリ秒を超え続けると"
                "警報LoopLateになります。",
                "How late timers wake. Where 99 % of one process stays above the dashed line, "
                "50 ms, it is the alarm LoopLate.",
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
                "上限に対する割合。100%になると接続を受け付けられません。"
                "LimitNOFILEを上げてください。",
                "Of as many as may be. At 100 % no connection is taken: raise LimitNOFILE.",
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
                "集計対象の広告主の数。どのプロセスでも同じ値になります。",
                "Advertisers whose figures are kept; every process comes to the same.",
            ),
            Query(series("advertisers", HERE), "{{instance}}"),
            width=8,
        ),
        lines(
            Text("最後の照合からの経過時間", "Since the last reconciliation"),
            Text(
                "点線の5時間を超えると警報ReconciliationOldになります。",
                "Above the dashed line, 5 hours, it is the alarm ReconciliationOld.",
            ),
            Query(
                f"(time() - max({series('reconciliation_timestamp_seconds')})) / 3600",
                Text("経過", "age"),
            ),
            unit=HOURS,
            width=8,
            steps=((0, "green"), (5, "red")),
        ),
        table(
            Text("バージョンと稼働時間", "Versions and uptime"),
            Text(
                "プロセス別のバージョンと、起動してからの時間（日 時:分:秒）。"
                "更新が済むと同じバージョンに揃います。",
                "Of each process, its version and for how long it has run: days, h:m:s. After an "
                "upgrade all have the same version.",
            ),
            f"time() - max by (instance, version) ({series('process_start_time_seconds', HERE)}"
            f" * on (job, instance) group_left (version) {series('build_info', HERE)})",
            {
                "instance": Text("プロセス", "Process"),
                "version": Text("バージョン", "Version"),
                "Value": Text("稼働時間", "Uptime"),
            },
            unit=DURATION,
            width=24,
            height=6,
        ),
    ),
)

BOARD = Board(
    name="platform",
    title=Text("Tsunagi 基盤の状態", "Tsunagi: platform health"),
    about=Text(
        "プロセス、データベース、アウトボックス、ディスク、証明書、照合。",
        "Processes, store, outbox, disk, certificate, reconciliation.",
    ),
    span="6h",
    refresh="30s",
    variables=(INSTANCE,),
    rows=(_NOW, _STORE, _EFFECTS, _GROUND, _PROCESSES),
)
