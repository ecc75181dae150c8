package outbound

// IsPrivate is isPrivate.
var IsPrivate = isPrivate
