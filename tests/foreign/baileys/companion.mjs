// A companion device played by Baileys, unmodified. What it is to do comes as one JSON object a line on standard
// input, what happens goes out the same way; the test that started it decides what should have happened.
import { createInterface } from 'node:readline'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const modules = process.env.HANTAR_NODE_MODULES
const settings = JSON.parse(process.argv[2])

// Modules are looked up where the test command installed them, which is not beside this file.
const find = createRequire(join(modules, 'companion.cjs'))
const entry = JSON.parse(readFileSync(join(modules, 'baileys/package.json'), 'utf8')).main
const baileys = await import(pathToFileURL(join(modules, 'baileys', entry)))
const undici = find('undici')
const { makeWASocket, useMultiFileAuthState, downloadMediaMessage, proto } = baileys

// The simulated network has a root of its own; that of WhatsApp is the default.
baileys.WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(settings.root, 'hex')

// Uploads go where the network says. Downloads always go to one host, so the connection leads here instead; both
// trust the simulator's certificate and no other.
const ca = settings.ca
const connect = undici.buildConnector({ ca })
const dispatcher = new undici.Agent({
	connect: (target, done) => connect({ ...target, hostname: '127.0.0.1', port: settings.port, servername: 'localhost' }, done),
})

const say = (what, details = {}) => process.stdout.write(JSON.stringify({ event: what, ...details }) + '\n')

const silent = { level: 'silent', child: () => silent }
for (const level of ['trace', 'debug', 'info']) silent[level] = () => {}
for (const level of ['warn', 'error']) {
	silent[level] = (what, text) => process.stderr.write(`${level}: ${text ?? ''} ${what?.err?.stack ?? what?.error?.stack ?? JSON.stringify(what)}\n`)
}

const seen = new Map()
let socket
let wanted = true

const bytes = text => Buffer.from(text, 'base64')

function kindOf(message) {
	const names = Object.keys(message ?? {}).filter(name => name !== 'messageContextInfo' && name !== 'senderKeyDistributionMessage')
	return names[0]
}

const receiptOf = (id, receipt) =>
	say('receipt', { id, user: receipt.userJid, delivered: !!receipt.receiptTimestamp, read: !!receipt.readTimestamp })

// While Baileys gathers events, whatever happens to a message it has not told of yet goes into that message, and no
// event of its own follows.
function absorbed({ key, status, userReceipt, reactions }) {
	if (status >= proto.WebMessageInfo.Status.DELIVERY_ACK) say('update', { id: key.id, status })
	for (const receipt of userReceipt ?? []) receiptOf(key.id, receipt)
	for (const reaction of reactions ?? []) say('reaction', { id: key.id, text: reaction.text })
}

async function open() {
	const { state, saveCreds } = await useMultiFileAuthState(settings.folder)
	socket = makeWASocket({
		auth: state,
		waWebSocketUrl: settings.url,
		logger: silent,
		fetchAgent: new Agent({ ca }),
		options: { dispatcher },
		syncFullHistory: false,
		markOnlineOnConnect: true,
		getMessage: async key => seen.get(key.id)?.message,
	})
	socket.ev.on('creds.update', saveCreds)
	socket.ev.on('connection.update', update => {
		if (update.qr) say('qr', { qr: update.qr })
		if (update.connection === 'open') say('open', { user: socket.user })
		if (update.connection === 'close') {
			const code = update.lastDisconnect?.error?.output?.statusCode
			say('close', { code, reason: String(update.lastDisconnect?.error) })
			// The order to connect again after pairing, and any loss of the line.
			if (wanted && code !== 401) setTimeout(open, code === 515 ? 0 : 200)
		}
	})
	socket.ev.on('messages.upsert', ({ messages, type }) => {
		for (const message of messages) {
			seen.set(message.key.id, message)
			const content = message.message
			say('message', {
				id: message.key.id,
				chat: message.key.remoteJid,
				participant: message.key.participant,
				from_me: message.key.fromMe,
				name: message.pushName,
				type,
				kind: kindOf(content),
				stub: message.messageStubType,
				text: content?.conversation ?? content?.extendedTextMessage?.text ?? content?.imageMessage?.caption ?? null,
			})
			absorbed(message)
		}
	})
	socket.ev.on('messages.update', updates => {
		for (const { key, update } of updates) {
			say('update', { id: key.id, status: update.status, edited: update.message?.editedMessage?.message?.conversation })
		}
	})
	socket.ev.on('message-receipt.update', updates => {
		for (const { key, receipt } of updates) receiptOf(key.id, receipt)
	})
	socket.ev.on('messages.reaction', reactions => {
		for (const { key, reaction } of reactions) say('reaction', { id: key.id, text: reaction.text })
	})
	socket.ev.on('chats.update', chats => {
		for (const chat of chats) say('chat', { jid: chat.id, pinned: !!chat.pinned, muted: !!chat.muteEndTime })
	})
	socket.ev.on('contacts.upsert', contacts => contacts.forEach(contact => say('contact', { jid: contact.id, name: contact.name })))
	socket.ev.on('groups.upsert', groups => groups.forEach(group => say('group', { jid: group.id, subject: group.subject })))
	socket.ev.on('groups.update', groups => groups.forEach(group => say('group_update', { jid: group.id, subject: group.subject })))
	socket.ev.on('group-participants.update', change => say('members', { jid: change.id, action: change.action, count: change.participants.length }))
	socket.ev.on('presence.update', ({ id, presences }) => say('presence', { jid: id, states: Object.values(presences).map(one => one.lastKnownPresence) }))
	socket.ev.on('messaging-history.set', history => say('history', { messages: history.messages.length }))
	socket.ws.on('CB:iq,,link_code_companion_reg', () => say('code_offered'))
	socket.ws.on('CB:ack', node => say('ack', { id: node.attrs.id, class: node.attrs.class, error: node.attrs.error }))
}

const commands = {
	text: ({ to, text }) => socket.sendMessage(to, { text }),
	image: ({ to, base64, caption }) => socket.sendMessage(to, { image: bytes(base64), caption, jpegThumbnail: bytes('') }),
	document: ({ to, base64, name }) =>
		socket.sendMessage(to, { document: bytes(base64), fileName: name, mimetype: 'application/pdf' }),
	react: ({ to, id, text }) => socket.sendMessage(to, { react: { key: seen.get(id).key, text } }),
	edit: ({ to, id, text }) => socket.sendMessage(to, { edit: { remoteJid: to, fromMe: true, id }, text }),
	delete: ({ to, id }) => socket.sendMessage(to, { delete: { remoteJid: to, fromMe: true, id } }),
	read: async ({ id }) => socket.readMessages([seen.get(id).key]),
	download: async ({ id }) => {
		const content = await downloadMediaMessage(seen.get(id), 'buffer', { options: { dispatcher } })
		return { base64: content.toString('base64') }
	},
	create_group: async ({ subject, members }) => {
		const group = await socket.groupCreate(subject, members)
		return { jid: group.id, count: group.participants.length }
	},
	group: async ({ jid }) => {
		const group = await socket.groupMetadata(jid)
		return { subject: group.subject, count: group.participants.length, announce: group.announce }
	},
	groups: async () => ({ jids: Object.keys(await socket.groupFetchAllParticipating()) }),
	change_members: ({ jid, members, action }) => socket.groupParticipantsUpdate(jid, members, action).then(done => ({ done })),
	set_subject: ({ jid, subject }) => socket.groupUpdateSubject(jid, subject),
	set_group: ({ jid, setting }) => socket.groupSettingUpdate(jid, setting),
	invite_code: async ({ jid }) => ({ code: await socket.groupInviteCode(jid) }),
	join: async ({ code }) => ({ jid: await socket.groupAcceptInvite(code) }),
	on_whatsapp: async ({ phone }) => ({ found: await socket.onWhatsApp(phone) }),
	presence: ({ state, to }) => socket.sendPresenceUpdate(state, to),
	subscribe: ({ to }) => socket.presenceSubscribe(to),
	about: ({ text }) => socket.updateProfileStatus(text),
	block: ({ to, action }) => socket.updateBlockStatus(to, action),
	picture: async ({ jid }) => ({ url: await socket.profilePictureUrl(jid, 'image').catch(error => String(error)) }),
	pair_code: async ({ phone }) => ({ code: await socket.requestPairingCode(phone) }),
	pin: ({ to }) => socket.chatModify({ pin: true }, to),
	poll: ({ to, question, options }) => socket.sendMessage(to, { poll: { name: question, values: options, selectableCount: 1 } }),
	disconnect: async () => {
		wanted = false
		await socket.end(undefined)
	},
	connect: async () => {
		wanted = true
		await open()
	},
	logout: () => socket.logout(),
}

// Whatever the library lets slip must show, and must not end what the test still watches.
process.on('unhandledRejection', error => process.stderr.write(`unhandled: ${error?.stack ?? error}\n`))

createInterface({ input: process.stdin }).on('line', async line => {
	const { call, ...command } = JSON.parse(line)
	try {
		const result = await commands[command.do](command)
		if (result?.key) seen.set(result.key.id, result)
		say('done', { call, id: result?.key?.id, ...(result?.key ? {} : result) })
	} catch (error) {
		say('failed', { call, error: String(error?.stack ?? error) })
	}
}).on('close', () => process.exit(0))

await open()
