package page

import (
	"fmt"
	"hash/fnv"
	"html/template"
	"strings"
	"time"
	"unicode"

	"postern/gatekeeper/phone"
)

// functions are what the templates can call.
var functions = template.FuncMap{
	"spans":    spans,
	"plain":    plain,
	"dict":     dict,
	"clock":    func(at time.Time) string { return at.Local().Format("15:04") },
	"day":      func(at time.Time) string { return at.Local().Format("Monday, 2 January") },
	"when":     when,
	"stamp":    func(at time.Time) string { return at.Format(time.RFC3339) },
	"newDay":   newDay,
	"initial":  initial,
	"hue":      hue,
	"size":     size,
	"length":   func(seconds uint32) string { return fmt.Sprintf("%d:%02d", seconds/60, seconds%60) },
	"digits":   func(number string) string { return strings.TrimPrefix(number, "+") },
	"emojis":   func() []string { return []string{"👍", "❤️", "😂", "😮", "😢", "🙏"} },
	"maxFile":  func() int { return phone.MaxUpload >> 20 },
	"tickName": func(tick phone.Tick) string { return strings.ReplaceAll(tick.String(), " ", "-") },
}

// when is a time in the list of chats.
func when(at time.Time) string {
	local, now := at.Local(), time.Now()
	switch {
	case at.IsZero():
		return ""
	case local.YearDay() == now.YearDay() && local.Year() == now.Year():
		return local.Format("15:04")
	default:
		return local.Format("2 Jan")
	}
}

// newDay tells whether the message with this index is the first of its day.
func newDay(messages []phone.Message, index int) bool {
	if index == 0 {
		return true
	}
	before, at := messages[index-1].At.Local(), messages[index].At.Local()
	return before.YearDay() != at.YearDay() || before.Year() != at.Year()
}

// initial is what stands for somebody who has no picture: the first letter of the name.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "?"
}

// hue is one of six colours, always the same for one contact.
func hue(id string) int {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id))
	return int(hash.Sum32() % 6)
}

// size says how many bytes there are.
func size(bytes uint64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1000_000:
		return fmt.Sprintf("%d kB", (bytes+500)/1000)
	default:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
}

// dict gives a template several values: names and values by turns.
func dict(pairs ...any) map[string]any {
	values := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		values[pairs[i].(string)] = pairs[i+1]
	}
	return values
}
