"""The webhook that tells people of a failed run or of a crowded quarantine.

Here: posting one JSON object. Not here: what it says. A webhook that fails must never fail what it reports on.
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping

import dagster as dg
from pydantic import Field

TIMEOUT = 10.0
"""Seconds."""


class WebhookResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Posts to `url`; without one, says nothing. The address may hold a token, so it appears in no message."""

    url: str = Field(default="", description="An http or https address; empty: nothing is posted.")

    def post(self, message: Mapping[str, object]) -> str | None:
        """Post a message as JSON; give why it could not be delivered, or `None`."""
        if not self.url:
            return None
        if not self.url.startswith(("http://", "https://")):
            return "LAKEHOUSE_WEBHOOK_URL is no http or https address"
        body = json.dumps(message).encode()
        try:
            request = urllib.request.Request(  # noqa: S310 (the scheme is checked above)
                self.url, body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
                return None
        except urllib.error.HTTPError as error:
            error.close()
            return f"the webhook answered {error.code}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            return f"the webhook could not be reached ({type(error).__name__})"
