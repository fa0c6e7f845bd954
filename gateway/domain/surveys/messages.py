"""What friends are asked and told in the chat, as message objects of the platform.

Texts of surveys hold no braces, so they mean the same whether variables are filled in or not.
"""

from gateway.domain.surveys.survey import (
    DONE,
    SKIP,
    Message,
    Progress,
    Question,
    Survey,
    buttons,
    data_of,
)

_SAID: dict[str, tuple[str, str]] = {
    "answer": ("アンケートに答える", "Answer"),
    "intro": (
        "「{title}」アンケートにご協力ください。",
        "Please take part in our survey “{title}”.",
    ),
    "text": ("次の質問は、ページでお答えください。", "Please answer the rest on this page."),
    DONE: ("以上です", "That's all"),
    SKIP: ("スキップ", "Skip"),
    "several": ("（いくつでも選べます）", "(Choose as many as you like)"),
    "thanks": ("ご回答ありがとうございました。", "Thank you for your answers."),
    "again": (
        "「{title}」にはすでにご回答いただいています。ありがとうございました。",
        "You have answered “{title}” already. Thank you.",
    ),
    "closed": (
        "「{title}」は、現在ご回答いただけません。",
        "“{title}” cannot be answered at the moment.",
    ),
}


def said(key: str, language: str, **values: str) -> str:
    """A text of ours, in English for friends who have set their phone to it."""
    english = language.partition("-")[0].lower() == "en"
    return _SAID[key][english].format(**values)


def told(key: str, survey: Survey, language: str) -> Message:
    """One of ``thanks``, ``again`` and ``closed``."""
    return {"type": "text", "text": said(key, language, title=survey.title)}


def invitation(survey: Survey, url: str, language: str, key: str = "intro") -> Message:
    """The button that opens a friend's page."""
    text = said(key, language, title=survey.title)
    action = {"type": "uri", "label": said("answer", language), "uri": url}
    template = {"type": "buttons", "text": text, "actions": [action]}
    return {"type": "template", "altText": text, "template": template}


def asking(
    survey: Survey, question: Question, progress: Progress, url: str, language: str
) -> Message:
    """A question with its buttons, or the way to the page where it is answered in words."""
    if question.kind == "text":
        key = "text" if progress.answers else "intro"
        return invitation(survey, url, language, key)
    number = survey.questions.index(question) + 1
    text = f"{survey.title}（{number}/{len(survey.questions)}）\n{question.text}"
    if question.kind == "choices":
        text += f"\n{said('several', language)}"
    items = []
    for option, label in buttons(question, progress.picked):
        shown = label or said(option, language)
        data = data_of(survey.id, question.id, option)
        action = {"type": "postback", "label": shown, "data": data, "displayText": shown}
        items.append({"type": "action", "action": action})
    return {"type": "text", "text": text, "quickReply": {"items": items}}
