package bridge

import (
	"errors"
	"fmt"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"

	"postern/bridge/connector"
	"postern/bridge/homeserver"
)

// pageCommand logs an admin in to the admin page.
func (d *Daemon) pageCommand() *commands.FullHandler {
	return &commands.FullHandler{
		Func: d.sendPageLink, Name: "admin-page", RequiresAdmin: true,
		Help: commands.HelpMeta{Section: commands.HelpSectionAdmin, Description: "Get a link that logs you in to the admin page, once"},
	}
}

// sendPageLink sends it to the admin's own room with the bot, encrypted, wherever the command came from: others may be there.
func (d *Daemon) sendPageLink(ce *commands.Event) {
	if d.cfg.Admin.PageURL() == "" {
		ce.Reply("%s", connector.AsSentence(ErrNoAdminPage))
		return
	}
	room, err := d.matrix.ChatAlone(ce.Ctx, ce.User.MXID)
	if errors.Is(err, homeserver.ErrNotEncrypted) || errors.Is(err, homeserver.ErrNotAlone) {
		ce.Reply("%s", textNoPlaceForLink(d.cfg.CommandPrefix))
		return
	} else if err == nil {
		err = d.matrix.SendToUser(ce.Ctx, ce.User.MXID, &event.MessageEventContent{
			MsgType: event.MsgNotice, Body: textPageLink(d.page.NewLink(ce.User.MXID.String())), Mentions: &event.Mentions{},
		})
	}
	if err != nil {
		ce.Log.Err(err).Msg("Failed to send a link to the admin page")
		ce.Reply("%s", connector.TextBridgeProblem)
		return
	}
	if room != ce.RoomID {
		ce.Reply("The link is in your own chat with me.")
	}
}

func textNoPlaceForLink(prefix string) string {
	return fmt.Sprintf("A link to the admin page goes only into an encrypted chat in which there is nobody but you and me, and your chat with me is "+
		"not one. Begin a new encrypted chat with me, write `%s set-management-room` there, and then `admin-page`.", prefix)
}

func textPageLink(link string) string {
	return fmt.Sprintf("%s\n\nThis link logs you in to the admin page. It works once, within five minutes, and only the newest one does. "+
		"Who opens it is you to the bridge, so give it to nobody.", link)
}
