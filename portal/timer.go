package portal

import (
	"time"

	"go.mau.fi/whatsmeow/proto/waE2E"
)

// Timer is how long a contact wants their message to be kept, from when it was sent; 0 is for ever.
func Timer(message *waE2E.Message) time.Duration {
	return time.Duration(contextInfo(unwrap(message)).GetExpiration()) * time.Second
}
