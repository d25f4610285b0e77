"""The TypeScript client against the OpenAPI document. After a change of the API: `make clients`."""

from tests.clients.typescript import CLIENT, generated
from tests.web.contract import DOCUMENT


def test_it_is_what_the_document_of_this_version_makes() -> None:
    text = CLIENT.read_text("utf-8")
    assert generated(text, DOCUMENT) == text, "`make clients` makes it anew"
