"""The peer of our pushes: the official package, called in a loop."""

import sys
import uuid

from linebot.v3.messaging import (
    ApiClient,
    Configuration,
    MessagingApi,
    PushMessageRequest,
    TextMessage,
)


def main() -> None:
    url, token, count, text, users = sys.argv[1:]
    to = users.split(",")
    with ApiClient(Configuration(host=url, access_token=token)) as client:
        api = MessagingApi(client)
        for ordinal in range(int(count)):
            # The package knows no emojis as lists of nothing, and wants every field named.
            message = TextMessage(text=text, quickReply=None, quoteToken=None)
            request = PushMessageRequest(
                to=to[ordinal % len(to)],
                messages=[message],
                notificationDisabled=False,
                customAggregationUnits=None,
            )
            api.push_message(request, str(uuid.uuid4()))


if __name__ == "__main__":
    main()
