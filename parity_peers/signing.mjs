// SHA-256 as lowercase hex, of text in UTF-8.

import { createHash } from "node:crypto";

export const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");
