/**
 * Telegram's Bot API, as far as a bot sends text and videos: a video as a file, or as a link that Telegram fetches.
 *
 * Documents: https://core.telegram.org/bots/api#sendvideo, #sendmessage, #sending-files, #formatting-options and
 * #making-requests
 */
import { reply, unknownCall, type Call, type Network, type Reply } from './network.cjs';
import { fetchFile } from './remoteFile.cjs';

const CAPTION_LIMIT = 1024;
const TEXT_LIMIT = 4096;

/** Bytes, of a file and of one behind a link. */
const FILE_LIMIT = 50_000_000;
const LINK_LIMIT = 20_000_000;

/** A message in a chat, with the bytes of its video. */
export interface TelegramMessage {
	id: number;
	chat: string;
	text: string;
	video?: Buffer;
	/** The buttons below it and what else was asked for, as it was sent. */
	fields: Record<string, unknown>;
}

export class Telegram implements Network {
	readonly token = '123456:seedance-tests';
	readonly channel = '@seedance_tests';
	/** The chat with a person who has written to the bot before. */
	readonly person = '4711';

	/** What was sent in this test, in order. */
	readonly messages: TelegramMessage[] = [];
	private isRevoked = false;

	serves(host: string): boolean {
		return host === 'api.telegram.org';
	}

	reset(): void {
		this.messages.length = 0;
		this.restore();
	}

	/** The bot's token is not valid any more. */
	revoke(): void {
		this.isRevoked = true;
	}

	/** The token is valid again. */
	restore(): void {
		this.isRevoked = false;
	}

	async handle(call: Call): Promise<Reply> {
		const [, token, method] = /^\/bot([^/]+)\/(\w+)$/.exec(call.path) ?? [];
		if (token !== this.token || this.isRevoked) return telegramError(401, 'Unauthorized');
		const texts = call.form.filter(({ filename }) => filename === undefined);
		const fields: Record<string, unknown> = {
			...call.query,
			...call.json,
			...Object.fromEntries(texts.map(({ name, data }) => [name, data.toString()])),
		};
		if (method === 'getMe') return done({ id: 123456, is_bot: true, first_name: 'Seedance' });
		if (method !== 'sendMessage' && method !== 'sendVideo') return unknownCall(call);
		const chat = String(fields.chat_id);
		if (chat !== this.channel && chat !== this.person) {
			return telegramError(400, 'Bad Request: chat not found');
		}
		if (method === 'sendMessage') return this.sendText(fields);
		return await this.sendVideo(fields, call.form.find(({ name }) => name === 'video')?.data);
	}

	private sendText(fields: Record<string, unknown>): Reply {
		const text = String(fields.text ?? '');
		if (text === '') return telegramError(400, 'Bad Request: message text is empty');
		if (text.length > TEXT_LIMIT) return telegramError(400, 'Bad Request: message is too long');
		const unclear = entityError(text, fields.parse_mode);
		if (unclear) return telegramError(400, `Bad Request: can't parse entities: ${unclear}`);
		return this.post({ text, fields });
	}

	private async sendVideo(fields: Record<string, unknown>, sent?: Buffer): Promise<Reply> {
		const text = String(fields.caption ?? '');
		if (text.length > CAPTION_LIMIT) {
			return telegramError(400, 'Bad Request: message caption is too long');
		}
		const isFile = sent !== undefined && !URL.canParse(sent.toString());
		const video = isFile ? sent : await fetchFile(String(fields.video ?? ''));
		if (!video) {
			return telegramError(400, 'Bad Request: wrong file identifier/HTTP URL specified');
		}
		if (video.length > (isFile ? FILE_LIMIT : LINK_LIMIT)) {
			return telegramError(413, 'Request Entity Too Large');
		}
		return this.post({ text, fields, video });
	}

	private post(message: Omit<TelegramMessage, 'id' | 'chat'>): Reply {
		const id = this.messages.length + 1;
		this.messages.push({ id, chat: String(message.fields.chat_id), ...message });
		const chat = { id: -1001234567890, title: 'Seedance tests', type: 'channel' };
		return done({ message_id: id, date: 0, chat, caption: message.text });
	}
}

/** The tags of Telegram's HTML. */
const TAGS = 'b|strong|i|em|u|ins|s|strike|del|a|code|pre|span|blockquote|tg-spoiler|tg-emoji';

/** Why Telegram cannot show a text in the way that was asked for; empty where it can. */
function entityError(text: string, mode: unknown): string {
	if (mode === 'HTML') {
		const [, tag] = new RegExp(`<(?!/?(?:${TAGS})\\b)([^>]*)`).exec(text) ?? [];
		return tag === undefined ? '' : `Unsupported start tag "${tag}"`;
	}
	if (mode !== 'Markdown') return '';
	const plain = text.replace(/\\[_*`[]/g, '').replace(/\[[^\]]*\]\([^)]*\)/g, '');
	const isOpen = ['_', '*', '`'].some((sign) => plain.split(sign).length % 2 === 0);
	return isOpen || plain.includes('[') ? "Can't find end of the entity" : '';
}

const done = (result: object): Reply => reply(200, { ok: true, result });

/** An error as the Bot API sends it. */
export function telegramError(code: number, description: string): Reply {
	return reply(code, { ok: false, error_code: code, description });
}

/** The reply to a bot that sends too much: it says how many seconds to wait. */
export const tooManyRequests = (seconds: number): Reply => {
	const description = `Too Many Requests: retry after ${seconds}`;
	const parameters = { retry_after: seconds };
	return reply(429, { ok: false, error_code: 429, description, parameters });
};
