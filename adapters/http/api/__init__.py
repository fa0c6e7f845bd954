"""The API of the admin listener, ``/api/v1/…``: JSON, bearer tokens, lists by cursor.

``endpoint`` is how a call of the API is declared, ``ask`` what its handler gets, ``routes`` what
makes routes of declarations: token, scope, query and body are checked there, once for all.
``openapi`` describes the same declarations. A room declares its own in ``endpoints(…)``, with what
it needs to read, and ``gateway/main/api.py`` hands that in.
"""
