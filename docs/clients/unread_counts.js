// Counts what one user has not read, in each room, from the events of a `ChatClient`.
//
// The server counts when it is asked, and says under which sequence number of the room's stream
// (`as_of`). This adds what came later. Where it cannot know what an event changes, as where a
// message was deleted that may have been unread, it asks the server for that room.
//
//     const counts = new UnreadCounts(chat, me, () => show(counts.total));
//     // once connected, and where a stream was not recovered:
//     await counts.refresh();
/** What is unread in a room. */
export class RoomCount {
    counted = 0;
    mentions = 0;
    more = false;
    firstUnread = null;
    marked = false;
    /** The sequence number under which the server counted. */
    asOf = 0;
    /** The highest sequence number of the room that was heard. */
    seen = 0;
    /** Messages of others that came after `asOf`, with their sequence numbers. */
    later = new Map();
    /** Messages of which a receipt of the user's was heard. */
    read = new Set();
    /** How many messages are unread; at least so many if there are `more`. */
    get count() {
        return this.counted + this.later.size;
    }
}
const ALL = "";
export class UnreadCounts {
    rooms = new Map();
    chat;
    me;
    onChange;
    stale = new Set();
    /** By question that is under way: the rooms in which something happened meanwhile. */
    touched = new Map();
    constructor(chat, me, onChange = () => { }) {
        this.chat = chat;
        this.me = me;
        this.onChange = onChange;
        this.hear("unread.dispatch", (data) => {
            this.touch(data.room_id);
            this.take(data);
        });
        this.hear("roomexit.dispatch", (data) => this.forget(data.room.id));
        this.hear("roomdelete.dispatch", (data) => this.forget(data.room_id));
        this.hear("roomcreate.dispatch", () => this.begin());
        this.hear("roomaddmembers.dispatch", (data) => {
            if (data.new_members.includes(this.me.username))
                this.begin();
            else
                this.follow(() => { });
        });
        this.hear("message.dispatch", (data) => this.follow((room, id, seq) => {
            this.touch(id, false);
            if (data.sender.id !== this.me.id)
                room.later.set(data.id, seq);
        }));
        this.hear("messagemodification.dispatch", (data) => this.follow((room, id) => {
            if (data.action === "delete")
                this.drop(room, id, data.message_ids);
        }));
        this.hear("readreceipt.dispatch", (data) => this.follow((room, id) => this.readBy(room, id, Array.isArray(data) ? data : [data])));
        for (const name of ["reaction", "roomupdate", "roomremovemembers", "roomread"])
            this.hear(`${name}.dispatch`, () => this.follow(() => { }));
    }
    /** How many messages are unread in all rooms. */
    get total() {
        let total = 0;
        for (const room of this.rooms.values())
            total += room.count;
        return total;
    }
    of(roomId) {
        const room = this.rooms.get(roomId) ?? new RoomCount();
        this.rooms.set(roomId, room);
        return room;
    }
    /** Asks for all rooms. */
    async refresh() {
        this.stale.clear();
        await this.ask(ALL);
    }
    async ask(roomId) {
        const touched = new Set();
        this.touched.set(roomId, touched);
        try {
            const data = roomId === ALL ? {} : { room_id: roomId };
            const answer = await this.chat.ask("unread.list", data, "unreadlist.dispatch");
            this.touched.delete(roomId);
            this.answered(roomId, answer.rooms, touched);
        }
        catch {
            this.touched.delete(roomId); // the connection broke, or the user is no longer in the room
        }
        this.onChange();
        this.askStale();
    }
    answered(asked, found, touched) {
        for (const each of found) {
            this.take(each);
            // What the user did meanwhile, on this device or another, may not be in the answer.
            if (touched.has(each.room_id))
                this.stale.add(each.room_id);
        }
        if (asked !== ALL)
            return;
        const listed = new Set(found.map((each) => each.room_id));
        for (const [id, room] of this.rooms) {
            if (listed.has(id))
                continue;
            if (touched.has(id))
                this.stale.add(id);
            else
                this.rooms.set(id, Object.assign(new RoomCount(), { asOf: room.seen, seen: room.seen, read: room.read }));
        }
    }
    askStale() {
        for (const roomId of [...this.stale]) {
            this.stale.delete(roomId);
            if (this.touched.has(roomId))
                this.touch(roomId); // asked already, and again after that
            else
                void this.ask(roomId);
        }
    }
    hear(name, listener) {
        this.chat.on(name, (data) => {
            listener(data);
            this.askStale();
            this.onChange();
        });
    }
    /** Lets a listener look at an event of a room that came after the room was counted. */
    follow(listener) {
        const at = this.chat.at;
        if (at === null || !at.stream.startsWith("room:"))
            return;
        const roomId = at.stream.slice("room:".length);
        const room = this.of(roomId);
        room.seen = Math.max(room.seen, at.seq);
        if (at.seq > room.asOf)
            listener(room, roomId, at.seq);
    }
    /** Begins to count a room that the user has come into. */
    begin() {
        const at = this.chat.at;
        if (at === null)
            return;
        const roomId = at.stream.slice("room:".length);
        this.touch(roomId);
        this.rooms.set(roomId, Object.assign(new RoomCount(), { asOf: at.seq, seen: at.seq }));
    }
    readBy(room, roomId, messages) {
        const isMine = (receipt) => receipt.reader.id === this.me.id;
        const found = messages
            .filter((message) => !room.read.has(message.id) && message.read_receipts.some(isMine))
            .map((message) => message.id);
        for (const id of found)
            room.read.add(id);
        if (found.length === 0)
            return;
        if (room.marked)
            this.touch(roomId);
        else
            this.drop(room, roomId, found);
    }
    /** Takes messages out; of older ones it is not known whether they were unread. */
    drop(room, roomId, messageIds) {
        this.touch(roomId);
        for (const id of messageIds)
            if (!room.later.delete(id) && room.counted > 0)
                this.stale.add(roomId);
    }
    /** Takes what the server has counted, unless it is older than what is known. */
    take(found) {
        const room = this.of(found.room_id);
        if (found.as_of < room.asOf)
            return;
        room.counted = found.unread_count;
        room.mentions = found.mention_count;
        room.more = found.more;
        room.firstUnread = found.first_unread;
        room.marked = found.marked;
        room.asOf = found.as_of;
        for (const [id, seq] of room.later)
            if (seq <= found.as_of)
                room.later.delete(id);
        this.stale.delete(found.room_id);
    }
    /** Notes, for questions that are under way, that something happened in a room. */
    touch(roomId, alone = true) {
        for (const [asked, rooms] of this.touched)
            if (asked === ALL || (alone && asked === roomId))
                rooms.add(roomId);
    }
    forget(roomId) {
        this.rooms.delete(roomId);
        this.stale.delete(roomId);
    }
}
