package portal

import (
	"math"
	"strconv"
	"strings"

	"go.mau.fi/whatsmeow/proto/waE2E"
	"google.golang.org/protobuf/proto"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/event"

	"postern/portal/markup"
)

const (
	// maxPlaceName is how long a place's name, address or comment may be, in characters.
	maxPlaceName = 500
	// maxGeoURI is how long a geo URI may be, in bytes.
	maxGeoURI = 256
	// locationKey and assetKey are where a location is in an event, beside the fields that all clients know (MSC3488).
	locationKey, assetKey = "org.matrix.msc3488.location", "org.matrix.msc3488.asset"
)

// coordinates are a place on earth, in degrees.
type coordinates struct{ latitude, longitude float64 }

func (c coordinates) valid() bool {
	return math.Abs(c.latitude) <= 90 && math.Abs(c.longitude) <= 180 // false for NaN
}

// String has six decimals, which is a tenth of a metre.
func (c coordinates) String() string {
	short := func(degrees float64) string {
		return strconv.FormatFloat(math.Round(degrees*1e6)/1e6+0, 'f', -1, 64)
	}
	return short(c.latitude) + "," + short(c.longitude)
}

// parseGeoURI reads "geo:latitude,longitude" (RFC 5870). Altitude and parameters, such as the uncertainty, are ignored.
func parseGeoURI(uri string) (coordinates, bool) {
	rest, ok := strings.CutPrefix(uri, "geo:")
	if !ok || len(uri) > maxGeoURI {
		return coordinates{}, false
	}
	rest, _, _ = strings.Cut(rest, ";")
	numbers := strings.Split(rest, ",")
	if len(numbers) != 2 && len(numbers) != 3 {
		return coordinates{}, false
	}
	var parsed [3]float64
	for i, number := range numbers {
		var err error
		if parsed[i], err = strconv.ParseFloat(number, 64); err != nil || strings.Trim(number, "-.0123456789") != "" {
			return coordinates{}, false
		}
	}
	place := coordinates{parsed[0], parsed[1]}
	return place, place.valid()
}

// locationThumbnail returns the small map of a location that will be shown, nil if there is none.
func locationThumbnail(message *waE2E.Message) []byte {
	if location := message.LocationMessage; location != nil && !location.GetIsLive() && coordinatesOf(location).valid() {
		return location.GetJPEGThumbnail()
	}
	return nil
}

// coordinatesOf returns invalid ones if there are none: nobody means the Gulf of Guinea.
func coordinatesOf(location *waE2E.LocationMessage) coordinates {
	if location.DegreesLatitude == nil || location.DegreesLongitude == nil {
		return coordinates{math.NaN(), math.NaN()}
	}
	return coordinates{location.GetDegreesLatitude(), location.GetDegreesLongitude()}
}

// convertLocation shows a place, without a link: a link to a map would tell a third party who looks at what.
func convertLocation(location *waE2E.LocationMessage, context *Context) *bridgev2.ConvertedMessage {
	place := coordinatesOf(location)
	words := joinLines([]string{
		placeName(location.GetName()), placeName(location.GetAddress()), placeName(location.GetComment()),
	})
	switch {
	case location.GetIsLive():
		return noticeFor(kindNames["liveLocationMessage"], words)
	case !place.valid():
		return noticeFor("a location without a place on earth", words)
	}
	uri := "geo:" + place.String()
	content := &event.MessageEventContent{
		MsgType: event.MsgLocation, Body: joinLines([]string{words, strings.Replace(place.String(), ",", ", ", 1)}), GeoURI: uri,
		Mentions: &event.Mentions{},
	}
	if stored := context.file(0); stored != nil {
		content.Info = &event.FileInfo{}
		setThumbnail(content.Info, stored)
	}
	return &bridgev2.ConvertedMessage{Parts: []*bridgev2.ConvertedMessagePart{{
		Type: event.EventMessage, Content: content, DBMetadata: &MessageMetadata{},
		Extra: map[string]any{
			locationKey: map[string]any{"uri": uri, "description": content.Body},
			assetKey:    map[string]any{"type": "m.pin"}, // a place, not where the sender is
		},
	}}}
}

func placeName(text string) string { return cutText(oneLine(markup.Clean(text)), maxPlaceName) }

// locationMessage makes a location of what a client of ours sent. raw is the whole content, nil if unknown.
func locationMessage(content *event.MessageEventContent, raw map[string]any) (*waE2E.LocationMessage, bool) {
	place, ok := parseGeoURI(content.GeoURI)
	if !ok {
		return nil, false
	}
	location := &waE2E.LocationMessage{
		DegreesLatitude: proto.Float64(place.latitude), DegreesLongitude: proto.Float64(place.longitude),
	}
	description := content.Body
	if extended, ok := raw[locationKey].(map[string]any); ok {
		if text, ok := extended["description"].(string); ok {
			description = text
		}
	}
	// Clients put a sentence with the URI there if the user wrote nothing.
	if description = placeName(description); description != "" && !strings.Contains(description, "geo:") {
		location.Name = proto.String(description)
	}
	return location, true
}
