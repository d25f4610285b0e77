"""`make clients`: writes the generated part of the TypeScript client anew."""

from tests.clients.typescript import CLIENT, generated
from tests.web.contract import DOCUMENT

CLIENT.write_text(generated(CLIENT.read_text("utf-8"), DOCUMENT), "utf-8")
