package config

import "regexp"

// maxPerDay bounds the daily limits.
const maxPerDay = 1_000_000_000

var roomShape = regexp.MustCompile(`^([!#][^\s:]+:[A-Za-z0-9.\-]+(:[0-9]{1,5})?|![A-Za-z0-9_-]{20,})$`)

// checkAdmin checks what is for admins, and the limits that they set for users.
func (c *Config) checkAdmin(check *checker) {
	if room := c.AdminRoom; room != "" && (len(room) > 255 || !roomShape.MatchString(room)) {
		check.add("admin_room", "is not a room", "write its id, such as !abc:"+c.Homeserver.Domain+", or an alias, which begins with #")
	}
	if c.Admin.URL != "" {
		check.host("admin.url", c.Admin.URL, "https", "http")
	}
	check.between("audit_days", c.AuditDays, 0, 3650)
	for _, limit := range []struct {
		key   string
		value int
	}{
		{"chats", c.Limits.ChatsPerDay}, {"pings", c.Limits.PingsPerDay}, {"messages", c.Limits.MessagesPerDay},
		{"files", c.Limits.FilesPerDay}, {"reports", c.Limits.ReportsPerDay},
	} {
		check.between("limits."+limit.key+"_per_day", limit.value, 0, maxPerDay)
	}
}
