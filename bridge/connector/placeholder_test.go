package connector_test

import (
	"testing"

	mxdatabase "maunium.net/go/mautrix/bridgev2/database"

	"postern/bridge/connector"
	"postern/portal"
)

func TestNoticeTakesThePlaceOfAPlaceholderOnlyIfItStandsForTheMessage(t *testing.T) {
	shown := func(placeholder bool) []*mxdatabase.Message {
		part := portal.Placeholder().Parts[0]
		return []*mxdatabase.Message{{
			ID: "message", PartID: part.ID, MXID: "$event", Metadata: &portal.MessageMetadata{Placeholder: placeholder},
		}}
	}
	for name, test := range map[string]struct {
		instead     bool
		placeholder bool
		want        bool
	}{
		"instead of the message, placeholder":  {true, true, true},
		"instead of the message, text":         {true, false, false},
		"notice of its own, as if placeholder": {false, true, false},
	} {
		edit, err := connector.NoticeEdit("cannot be shown", test.instead, shown(test.placeholder))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (edit != nil) != test.want {
			t.Errorf("%s: edited is %v, want %v", name, edit != nil, test.want)
		}
		if edit != nil && (len(edit.ModifiedParts) != 1 || edit.ModifiedParts[0].Content.Body != "cannot be shown") {
			t.Errorf("%s: the edit is %+v", name, edit)
		}
	}
}
