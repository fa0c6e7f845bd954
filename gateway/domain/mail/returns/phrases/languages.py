"""What servers say in other languages than English.

A stem and, within a few words, what is the matter with it. Providers write so of themselves, often
beside the English words: T-Online, web.de and GMX (German), Orange, Free and La Poste (French),
mail.ru and Rambler (Russian), QQ, NetEase and Sina (Chinese), Naver and Daum (Korean), Interia and
WP (Polish), Seznam (Czech), Libero (Italian), UOL and Terra (Portuguese, Spanish), and those of
Japan. Their classes are those of RFC 3463, chapter 3.
"""

from gateway.domain.mail.returns.phrases.rule import Rule

FULL = Rule(
    "mailbox_full",
    "RFC 3463 x.2.2 in other languages",
    (
        r"容量.{0,12}(?:超|オーバー|不足|いっぱい|一杯|达到|達到|已满|已滿)",
        r"(?:メールボックス|受信箱|メールbox|メール箱).{0,16}(?:いっぱい|一杯|満杯|あふれ|溢れ|超え)",
        r"(?:邮箱|信箱|郵箱|收件人|空间|空間|配额).{0,8}(?:已满|已滿|不足|超出|超过|超限|满了)",
        r"(?:ящик|почта|хранилище).{0,20}(?:переполнен|заполнен)|(?:превышен|исчерпан)\w? квот",
        r"квот\w{1,3} (?:\S+ ){0,2}(?:превышен|исчерпан)|нет места|недостаточно места",
        (
            r"(?:postfach|mailbox|speicher\w*|inbox|konto|briefkasten).{0,30}(?:voll"
            r"|[uü]e?berf[uü]e?llt|[uü]e?berschritten|ersch[oö]e?pft|belegt)|zu ?viele mails"
        ),
        r"bo[iî]te.{0,40}(?:pleine|satur[eé]e)|quota.{0,20}(?:d[eé]pass|atteint|exc[eé]d)",
        r"(?:casella|spazio).{0,30}(?:pien[ao]|esaurit|superat)|quota.{0,12}superat",
        r"(?:buz[oó]n|casilla|bandeja|cuota|almacenamiento).{0,30}(?:llen[oa]|exced|super|agotad)",
        r"\b(?:caixa|quota|cota|espa[cç]o).{0,30}(?:chei[oa]|lotad[oa]|exced|esgotad)",
        r"skrzynk\w.{0,20}(?:pe[lł]na|przepe[lł]nion)|schr[aá]nk\w.{0,20}(?:pln[aá]|p[rř]epln)",
        r"postbus.{0,12}vol\b|kota.{0,12}(?:a[sş]|dol)|(?:용량|메일함|사서함).{0,10}(?:초과|부족|가득)",
    ),
)
TOO_BIG = Rule(
    "too_big",
    "RFC 3463 x.3.4 in other languages",
    (
        r"サイズ.{0,12}(?:超|大き)|(?:邮件|信件|附件|郵件).{0,8}(?:过大|太大|過大|超过.{0,6}限)",
        (
            r"(?:nachricht|mail|anhang).{0,12}zu gro(?:ß|ss)|(?:message|courriel"
            r"|taille).{0,20}trop (?:gros|volumineu|grand)"
        ),
        (
            r"(?:mensaje|mensagem|messaggio|correo|tama[nñ]o|tamanho).{0,25}(?:demasiado grand"
            r"|muito grand|troppo grand|exced|super)"
        ),
        r"(?:письмо|сообщени\w|размер).{0,20}(?:слишком больш|превы)",
        r"(?:메일|첨부).{0,8}크기.{0,8}초과",
    ),
)
REFUSED = (
    Rule(
        "throttled",
        "RFC 3463 x.4.5 and x.5.3 in other languages",
        (
            (
                r"trop de (?:connexion|message|destinataire|session|mail)|zu viele "
                r"(?:\w+ )?(?:verbindung|empf|nachricht|e-?mails)"
            ),
            r"demasiad[oa]s (?:conexi|mensaj|destinatari)|muit[ao]s (?:conex|mensag|destinat)",
            r"troppe? (?:conness|messagg|destinat)|слишком (?:много|часто)|превышен лимит",
            r"(?:频率|频繁|頻繁|连接数|发信数|并发).{0,8}(?:限|过|超|高)?",
            r"(?:送信|接続)(?:数|通数).{0,8}(?:超|制限|多)|同時接続",
        ),
    ),
    Rule(
        "spam",
        "RFC 3463 x.7.1 for content, in other languages",
        (
            r"垃圾(?:邮件|郵件|信件)|病毒|스팸 ?(?:메일|메시지|필터)|ウイルス|спам(?!ер)|вирус",
            r"courrier ind[eé]sirable|ind[eé]sirable|correo no deseado|unerw[uü]nschte",
            r"迷惑メール(?!.{0,10}設定).{0,12}(?:判定|検知|検出|疑い|可能性)",
        ),
    ),
    Rule(
        "blocked",
        "RFC 3463 x.7.1 for hosts, in other languages",
        (
            r"黑名单|黑名單|ブラックリスト|블랙리스트|liste noire|lista negra|lista nera",
            r"(?:ч[её]рн\w+ спис|schwarz\w+ liste|czarn\w+ li[sś])",
            (
                r"(?:\bip\b|ホスト|サーバ\w?|отправител\w|expediteur|exp[eé]diteur|remitente"
                r"|remetente|mittente|absender).{0,30}(?:차단|拒否|拒绝|被拒|禁止|заблокир|bloqu|bloccat"
                r"|gesperrt|abgelehnt|invalide|inv[aá]lid|rejet|refus|rechaz|rejeitad)"
            ),
        ),
    ),
)
SHUT = Rule(
    "suspended",
    "RFC 3463 x.2.1 in other languages",
    (
        r"(?:利用|使用|アカウント|ユーザ\w?).{0,8}(?:停止|休止|無効|凍結|ロック)|無効.{0,10}(?:アカウント|ユーザ)",
        (
            r"(?:ящик|аккаунт|[уу]ч[её]тная запись|конто|пользовател\w).{0,24}(?:заблокирован"
            r"|отключ[её]н|приостановлен|неактив)"
        ),
        (
            r"(?:konto|postfach|mailbox|empf[aä]e?nger).{0,24}(?:gesperrt|deaktiviert|inaktiv"
            r"|stillgelegt)"
        ),
        (
            r"(?:compte|bo[iî]te|adresse|utilisateur).{0,30}(?:d[eé]sactiv|suspendu|bloqu[eé]"
            r"|inactif|ferm[eé]|cl[oô]tur)"
        ),
        (
            r"\b(?:cuenta|buz[oó]n|usuario|conta\b|caixa|usu[aá]rio).{0,30}(?:desactiv|desativ"
            r"|suspend|suspens|bloquead|inactiv|expirad|caducad|inativ|deshabilit|cancelad)"
        ),
        (
            r"\b(?:account|casella|utente|indirizzo).{0,24}(?:disattiv|sospes|bloccat|disabilit"
            r"|non attiv)"
        ),
        r"(?:用户|用戶|帐号|账号|帳號|邮箱|郵箱|账户).{0,8}(?:冻结|停用|禁用|锁定|暂停|禁止|凍結|停止|被封|注销)",
        (
            r"konto.{0,20}(?:zablokowan|nieaktywn|zawieszon)|bloccato per|per inutilizzo|(?:계정"
            r"|사용자|아이디).{0,8}(?:정지|중지|휴면|차단)"
        ),
    ),
)
NO_HOST = Rule(
    "host_unknown",
    "RFC 3463 x.1.2 in other languages",
    (
        r"ドメイン.{0,16}(?:存在し(?:な|ま)|見つか|不明|ありません)|域名.{0,8}(?:不存在|无法解析|错误)",
        (
            r"домен\w{0,2} (?:\S+ ){0,3}не |(?:dom[aä]e?ne?|domain).{0,20}(?:existiert nicht"
            r"|unbekannt)"
        ),
        (
            r"(?:domaine|dominio|dom[ií]nio).{0,24}(?:n'existe pas|inconnu|inexist|no existe"
            r"|n[aã]o existe|non esiste|desconoc|desconhec|introuvable)"
        ),
        r"도메인.{0,12}(?:없|존재하지)|domena.{0,12}nie istnieje",
    ),
)
NOBODY = Rule(
    "user_unknown",
    "RFC 3463 x.1.1 in other languages",
    (
        (
            r"(?:宛先|あて先|送信先|アドレス|ユーザ(?:ー)?|利用者|受信者"
            r"|メールボックス|アカウント).{0,24}(?:存在しま?せ?|存在しな|見つか(?:り|ら)|不明"
            r"|みつか(?:り|ら)|ありません|無効です|削除され|誤り)"
        ),
        r"ディレクトリに.{0,8}見つかりません|存在しない(?:ユーザ|アドレス|宛先|メール)",
        (
            r"(?:用户|用戶|收件人|邮箱|郵箱|帐号|账号|帳號|地址|信箱|该账户).{0,8}(?:不存在|未找到|找不到"
            r"|不正确|错误|未注册|未开通|无效|有误)|查无此人|(?:不存在|无此)(?:的)?(?:用户|邮箱|该用户|账号)"
        ),
        (
            r"(?:пользовател|получател|ящик|адрес|[уу]ч[её]тн\w+ запис).{0,24}(?:не найден|не "
            r"существ|отсутств|неизвест|недейств|удал[её]н)"
        ),
        r"нет такого|такого (?:\S+ ){0,2}нет|неизвестн\w+ (?:пользов|получ|адрес)",
        (
            r"(?:empf[aä]e?nger\w*|benutzer\w*|nutzer|adresse|teilnehmer|postfach|konto|mailbox"
            r"|user).{0,30}(?:unbekannt|existiert (?:\w+ )?nicht|nicht (?:bekannt|gefunden"
            r"|vorhanden)|ung[uü]e?ltig|gibt es nicht|nicht mehr)"
        ),
        (
            r"unbekannte[rs]? (?:empf|benutz|nutzer|adress)|ung[uü]e?ltige[rs]? (?:empf|adress"
            r"|e-?mail)"
        ),
        (
            r"(?:destinataire|utilisateur|adresse|compte|bo[iî]te|usager"
            r"|abonn[eé]).{0,40}(?:inconnu|invalide|inexist|n'existe (?:pas|plus)|introuvable"
            r"|non valide|erron[eé]e|inexacte)"
        ),
        r"(?:inconnu|aucun)e? (?:destinataire|utilisateur|compte|adresse)",
        (
            r"(?:usuario|destinatario|utente|casella|direcci[oó]n|usu[aá]rio|destinat[aá]rio"
            r"|indirizzo|endere[cç]o|\bconta\b|cuenta|buz[oó]n|caixa|casilla).{0,30}(?:desconoc"
            r"|desconhec|inexist|no (?:existe|v[aá]lid|encontrad|se encontr)|sconosciut|n[aã]o "
            r"(?:existe|encontrad)|non (?:esiste|trovat|valid)|inv[aá]lid|inesistent|no ha sido "
            r"encontrad)"
        ),
        (
            r"(?:konto|u[zż]ytkownik|adres|odbiorca|skrzynka).{0,24}(?:nie istnieje|nieznany"
            r"|nie znalezion)"
        ),
        (
            r"nie ma taki|nieznan[yea] (?:u[zż]ytk|adres|odbior)"
            r"|destin\w*\W (?:\S+ )?(?:sconosc|errat)|destinatario errato"
            r"|(?:u[zž]ivatel|schr[aá]nka|adresa).{0,20}(?:neexistuje|nezn[aá]m|nenalezen)"
        ),
        r"(?:gebruiker|ontvanger|adres).{0,20}(?:onbekend|bestaat niet)|kullan[iı]c[iı] bulunamad",
        r"(?:수신자|사용자|메일 ?주소|계정|아이디).{0,14}(?:존재하지|없|찾을 수)|존재하지 않는",
    ),
)
UNWANTED = Rule(
    "filtered",
    "docomo, au and SoftBank (reception settings), in Japanese; Daum and Naver in Korean",
    (
        r"(?:受信|着信).{0,6}拒否|拒否.{0,6}設定|指定受信|迷惑メール.{0,10}設定|수신 ?거부",
        r"(?:收件人|用户|对方).{0,6}(?:拒收|拒绝)",
    ),
)
LATE = Rule(
    "expired",
    "RFC 3463 x.4.x in other languages",
    (
        r"再送|期限.{0,6}(?:過|切れ)|タイムアウト|配送できませんでした.{0,8}時間|接続できま|応答が(?:あり|な)|超时|连接失败|無回應",
        (
            r"zeit[uü]e?berschreitung|d[eé]lai (?:d[eé]pass|expir)|tiempo (?:de espera "
            r")?(?:agotad|exced)"
        ),
        r"истекло время|таймаут|시간 ?초과|tempo (?:limite )?(?:esgotad|scadut)",
    ),
)
