package bridge

import (
	"fmt"

	"maunium.net/go/mautrix/bridgev2/commands"
	"maunium.net/go/mautrix/event"
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
		ce.Reply("%s", asSentence(ErrNoAdminPage))
		return
	}
	err := d.matrix.SendToUser(ce.Ctx, ce.User.MXID, &event.MessageEventContent{
		MsgType: event.MsgNotice, Body: textPageLink(d.page.NewLink(ce.User.MXID.String())), Mentions: &event.Mentions{},
	})
	if err != nil {
		ce.Log.Err(err).Msg("Failed to send a link to the admin page")
		ce.Reply("%s", textBridgeProblem)
		return
	}
	if room, err := ce.User.GetManagementRoom(ce.Ctx); err == nil && room != ce.RoomID {
		ce.Reply("The link is in your own chat with me.")
	}
}

func textPageLink(link string) string {
	return fmt.Sprintf("%s\n\nThis link logs you in to the admin page. It works once, within five minutes, and only the newest one does. "+
		"Who opens it is you to the bridge, so give it to nobody.", link)
}
