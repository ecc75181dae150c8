package config

import "fmt"

// maxRoomMiB bounds the room for hosted files: a pebibyte, so that it fits into an int64 in bytes.
const maxRoomMiB = 1 << 30

// checkHosting checks what becomes of the files that users send.
func (c *Config) checkHosting(check *checker) {
	check.required("public.media_dir", c.Public.MediaDir, "write the name of a folder, such as media")
	check.between("public.media_days", c.Public.MediaDays, 1, 90)
	limits := c.Limits
	for _, room := range []struct {
		key   string
		value int
	}{
		{"limits.media_user_mib", limits.MediaUserMiB}, {"limits.media_total_mib", limits.MediaTotalMiB},
	} {
		check.between(room.key, room.value, 0, maxRoomMiB)
		if room.value > 0 && room.value < limits.FileMiB {
			check.add(room.key, fmt.Sprintf("is %d, less than one file may have", room.value),
				fmt.Sprintf("write at least %d, as limits.file_mib says, or 0 for no limit", limits.FileMiB))
		}
	}
	if limits.MediaTotalMiB > 0 && limits.MediaUserMiB > limits.MediaTotalMiB {
		check.add("limits.media_user_mib", "is more than limits.media_total_mib", "write what one user may take of it")
	}
}
