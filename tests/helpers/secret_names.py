"""Names of fields that hold secrets, names that only look alike, and what of a secret stands in a text."""

from __future__ import annotations

SECRET_NAMES = """
token botToken bot_token BOT-TOKEN deviceToken deviceTokens refreshToken sessionToken
access_token idToken secret clientSecret client_secret webhookSecret secrets privateKey
private_key_pem PrivateKeyPem apiKey api_key apikey X-Api-Key accessKey aws_secret_access_key
signingKey encryptionKey sshKey password passwd dbPassword password2 passwordHash passphrase pwd
pass credential credentials Authorization Proxy-Authorization cookie Set-Cookie jwt bearer
bearerToken signature X-Hub-Signature-256 nonce csrf otp verificationCode mnemonic smtp_pass DB_PASS
wifiPsk seedPhrase consumerKey storageKey mfaCode accessCode
"""


OTHER_NAMES = """
maxTokens inputTokens outputTokens totalTokens tokens tokenCount token_count tokenizer
contextTokens nextPageToken sessionKey idempotencyKey publicKey key keys keyboard monkey
nextCursor cursor session sessionId tokenEnv passwordFile auth authMode secretary bypass compass
announce description method proxy_pass statusCode phrase
"""


def part_of(secret: str, text: str) -> int:
    """Return how many characters of a secret stand in a text at one place."""
    longest = 0
    for start in range(len(secret)):
        while longest < len(secret) - start and secret[start : start + longest + 1] in text:
            longest += 1
    return longest
