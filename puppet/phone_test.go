package puppet_test

import (
	"strings"
	"testing"

	"go.mau.fi/whatsmeow/types"

	"postern/puppet"
)

func TestPhoneOfAJID(t *testing.T) {
	for _, test := range []struct {
		jid  types.JID
		want string
	}{
		{types.NewJID("4915112345678", types.DefaultUserServer), "+4915112345678"},
		{types.JID{User: "4915112345678", Device: 3, Server: types.DefaultUserServer}, "+4915112345678"},
		{types.NewJID("130455123456789", types.HiddenUserServer), ""},
		{types.JID{User: "10853634039893", Integrator: 1, Server: types.InteropServer}, ""},
		{types.NewJID("12345", types.DefaultUserServer), ""},
		{types.NewJID("bob", types.DefaultUserServer), ""},
		{types.EmptyJID, ""},
	} {
		if got := puppet.Phone(test.jid); got != test.want {
			t.Errorf("Phone(%s) = %q, want %q", test.jid, got, test.want)
		}
	}
}

func TestFormatPhoneGroupsDigits(t *testing.T) {
	for phone, want := range map[string]string{
		"+4915112345678":   "+49 151 123 456 78",
		"+12025550123":     "+1 202 555 0123",
		"+79161234567":     "+7 916 123 4567",
		"+33612345678":     "+33 612 345 678",
		"+353851234567":    "+353 851 234 567",
		"+35312345":        "+353 123 45",
		"+299123456":       "+299 123 456",
		"+123456789012345": "+1 234 567 890 123 45",
		"4915112345678":    "4915112345678",
		"+":                "+",
		"":                 "",
		"+49 151":          "+49 151",
		"+0123456789":      "+0123456789",
		"+4915x12345678":   "+4915x12345678",
	} {
		if got := puppet.FormatPhone(phone); got != want {
			t.Errorf("FormatPhone(%q) = %q, want %q", phone, got, want)
		}
	}
}

func FuzzFormatPhone(f *testing.F) {
	for _, seed := range []string{"+4915112345678", "+1", "+1234567", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, phone string) {
		if got := puppet.FormatPhone(phone); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(phone, " ", "") {
			t.Errorf("FormatPhone(%q) = %q changed the digits", phone, got)
		}
	})
}
