"""What the dashboards say, in both languages, and how values of labels look."""

from typing import Literal

import msgspec

Language = Literal["ja", "en"]


class Text(msgspec.Struct, frozen=True):
    """The same in both languages."""

    ja: str
    en: str

    def __getitem__(self, language: Language) -> str:
        """The words of one language."""
        return self.ja if language == "ja" else self.en


class Look(msgspec.Struct, frozen=True):
    """How a label's value is drawn."""

    ja: str
    """Its Japanese name; an English reader sees the value itself, as queries and logs have it."""
    color: str = ""
    """One of Grafana's names of colours; empty: the next of the palette."""


LOOKS = {
    # --- calls ---
    "answered": Look("応答", "green"),
    "busy": Look("話中", "orange"),
    "no_answer": Look("不応答", "yellow"),
    "failed": Look("失敗", "red"),
    "canceled": Look("取消", "semi-dark-blue"),
    "voicemail": Look("留守番電話", "blue"),
    "blocked": Look("ブロック", "dark-red"),
    "abandoned": Look("途中放棄", "purple"),
    "pending": Look("判定待ち", "yellow"),
    "accepted": Look("成果", "green"),
    "rejected": Look("対象外", "orange"),
    "unknown_call": Look("未知の通話", "red"),
    "unknown_status": Look("未知の状態", "orange"),
    "events_adopted": Look("先着通知を結合", "blue"),
    "swept": Look("時間切れで確定", "yellow"),
    "late_event": Look("確定後の通知", "purple"),
    "withheld_caller": Look("非通知", "semi-dark-blue"),
    "missing_here": Look("当方に記録なし", "red"),
    "missing_there": Look("キャリアに記録なし", "orange"),
    "different": Look("通話時間の相違", "yellow"),
    # --- LINE ---
    "message": Look("メッセージ"),
    "messageEdited": Look("編集"),
    "unsend": Look("送信取消"),
    "follow": Look("友だち追加", "green"),
    "unfollow": Look("ブロック", "red"),
    "join": Look("グループ参加"),
    "leave": Look("グループ退出"),
    "memberJoined": Look("メンバー参加"),
    "memberLeft": Look("メンバー退出"),
    "postback": Look("ポストバック"),
    "videoPlayComplete": Look("動画視聴完了"),
    "beacon": Look("ビーコン"),
    "accountLink": Look("アカウント連携"),
    "membership": Look("メンバーシップ"),
    "module": Look("モジュール"),
    "activated": Look("モジュール有効化"),
    "deactivated": Look("モジュール無効化"),
    "botSuspended": Look("アカウント停止", "dark-red"),
    "botResumed": Look("アカウント再開"),
    "delivery": Look("配信完了"),
    "other": Look("その他"),
    "unknown_type": Look("未知の種類"),
    "unknown_mode": Look("未知のモード"),
    "unknown_source": Look("未知の送信元"),
    "unknown_message": Look("未知のメッセージ形式"),
    "unknown_field": Look("未知の項目"),
    "malformed": Look("形式不正", "red"),
    "id_derived": Look("IDを補完"),
    "half_character": Look("文字の欠落"),
    "reply": Look("返信"),
    "push": Look("プッシュ"),
    "multicast": Look("マルチキャスト"),
    "narrowcast": Look("ナローキャスト"),
    "broadcast": Look("一斉配信"),
    "sent": Look("送信", "green"),
    "refused": Look("拒否", "red"),
    "expired": Look("期限切れ", "orange"),
    "unknown": Look("不明", "purple"),
    "over_quota": Look("上限超過", "yellow"),
    "retried": Look("再試行", "yellow"),
    "withdrawn": Look("取り下げ", "semi-dark-blue"),
    "created": Look("作成", "green"),
    "deleted": Look("削除", "semi-dark-blue"),
    "put_off": Look("延期", "yellow"),
    "added": Look("付与", "green"),
    "removed": Look("削除", "semi-dark-blue"),
    "done": Look("完了", "green"),
    "cancelled": Look("取消", "semi-dark-blue"),
    "halted": Look("停止", "orange"),
    "kept": Look("保存", "green"),
    "too_large": Look("サイズ超過", "orange"),
    "missing": Look("取得不可", "red"),
    # --- coupons, cards, links, surveys ---
    "issued": Look("発行", "blue"),
    "used": Look("使用", "green"),
    "undone": Look("使用取消", "purple"),
    "lost": Look("落選", "semi-dark-blue"),
    "voided": Look("無効化", "dark-red"),
    "qr": Look("QRコード", "green"),
    "printed": Look("印刷コード", "blue"),
    "bonus": Look("ボーナス", "yellow"),
    "manual": Look("手動", "purple"),
    "undo": Look("取消", "red"),
    "started": Look("開始", "blue"),
    "filled": Look("ゴール達成", "green"),
    "handed_on": Look("引き継ぎ", "purple"),
    "code_expired": Look("コード期限切れ"),
    "code_used": Look("コード使用済み"),
    "code_other_shop": Look("他店のコード"),
    "too_soon": Look("前回からの間隔不足"),
    "printed_limit": Look("印刷コードの上限"),
    "not_friend": Look("友だち未追加"),
    "pin_wrong": Look("PIN誤り"),
    "pin_locked": Look("PINロック", "red"),
    "card_full": Look("ゴール達成済み"),
    "id_token_invalid": Look("IDトークン無効"),
    "client_claimed_user": Look("利用者のなりすまし", "red"),
    "person": Look("人", "green"),
    "bot": Look("ボット", "semi-dark-blue"),
    "unrecorded": Look("記録なし", "orange"),
    "offered": Look("依頼", "blue"),
    # --- mail ---
    "click": Look("クリック", "green"),
    "open": Look("開封", "blue"),
    "asked": Look("申込", "blue"),
    "already": Look("登録済み", "semi-dark-blue"),
    "stopped": Look("配信停止済み", "orange"),
    "limited_address": Look("アドレスごとの上限", "yellow"),
    "limited_network": Look("ネットワークごとの上限", "yellow"),
    "limited_list": Look("リストごとの上限", "yellow"),
    "confirmed": Look("確認済み", "green"),
    "deferred": Look("再送待ち", "yellow"),
    "held": Look("保留", "purple"),
    "suppressed": Look("配信停止先のため除外", "semi-dark-blue"),
    "user_unknown": Look("宛先不明", "red"),
    "host_unknown": Look("ドメイン不明", "red"),
    "moved": Look("アドレス変更", "orange"),
    "mailbox_full": Look("メールボックス満杯", "yellow"),
    "too_big": Look("サイズ超過"),
    "filtered": Look("受信拒否設定", "yellow"),
    "suspended": Look("利用停止", "orange"),
    "spam": Look("迷惑メール判定", "dark-red"),
    "policy": Look("ポリシー違反", "dark-red"),
    "throttled": Look("送信レート制限", "purple"),
    "system": Look("相手側の障害"),
    "complaint": Look("苦情", "dark-red"),
    "unwritable": Look("作成不可", "purple"),
    "paused_for_bounces": Look("不達で一時停止", "red"),
    "paused_for_unwritable": Look("作成不可で一時停止", "orange"),
    "paused_for_fault": Look("障害で一時停止", "dark-red"),
    "paused_for_check": Look("事前チェックの期限切れで一時停止", "yellow"),
    # --- SIMs, money, the gateway itself ---
    "ready": Look("準備完了", "blue"),
    "active": Look("使用中", "green"),
    "inactive": Look("休止", "semi-dark-blue"),
    "standby": Look("待機", "yellow"),
    "terminated": Look("解約", "red"),
    "calls": Look("通話", "green"),
    "line": Look("LINE", "blue"),
    "mail": Look("メール", "orange"),
    "sim": Look("SIM", "purple"),
    "card-notice": Look("カードの通知", "orange"),
    "posting": Look("投稿の通知", "red"),
    "effect": Look("外部への処理", "purple"),
    "state": Look("状態フォルダー", "blue"),
    "database": Look("データベース", "purple"),
    # --- HTTP ---
    "200": Look("200", "green"),
    "400": Look("400", "yellow"),
    "403": Look("403", "orange"),
    "404": Look("404", "semi-dark-blue"),
    "405": Look("405", "blue"),
    "408": Look("408", "purple"),
    "413": Look("413", "semi-dark-orange"),
    "500": Look("500", "red"),
    "503": Look("503", "dark-red"),
    # --- where one metric means something else by a value ---
    "survey_answers_total.answered": Look("回答", "green"),
    "line_messages_total.unknown": Look("到達不明", "purple"),
    "mail_bounces_total.expired": Look("配送期限切れ", "orange"),
    "mail_campaigns_total.canceled": Look("中止", "semi-dark-blue"),
    "sims.suspended": Look("利用中断", "orange"),
}
"""By the value, or by ``metric.value``."""


def look(metric: str, value: str) -> Look | None:
    """How a value of a metric's label is drawn; nothing where it speaks for itself."""
    return LOOKS.get(f"{metric}.{value}") or LOOKS.get(value)
