// SHA-256 and HMAC-SHA256 as lowercase hex, of text in UTF-8.

import { createHash, createHmac } from "node:crypto";

export const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");
export const hmacSha256 = (key, text) => createHmac("sha256", key).update(text, "utf8").digest("hex");
