/**
 * Instagram's publishing of Reels, through Facebook's Graph API: a container that Instagram fills from a link, and that is
 * published once it is ready.
 *
 * Documents: https://developers.facebook.com/docs/instagram-platform/content-publishing and
 * https://developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/error-codes
 */
import { reply, fieldOf, unknownCall, type Call, type Network, type Reply } from './network.cjs';
import { fetchFile } from './remoteFile.cjs';

/** How often a container says that it is not ready, before it is. */
const READS_BEFORE_READY = 2;

/** Characters, as the reference of IG User Media has it. */
const CAPTION_LIMIT = 2200;

interface Container {
	id: string;
	caption: string;
	video?: Buffer;
	reads: number;
	isPublished: boolean;
}

/** A Reel on the profile. */
export interface Reel {
	id: string;
	caption: string;
	bytes: Buffer;
}

export class Instagram implements Network {
	readonly userId = '17841400000000001';
	readonly accessToken = 'EAAG-seedance-tests';

	/** The profile: what was published in this test, in order. */
	readonly reels: Reel[] = [];
	private readonly containers: Container[] = [];
	private isExpired = false;

	serves(host: string): boolean {
		return host === 'graph.facebook.com';
	}

	reset(): void {
		this.reels.length = 0;
		this.containers.length = 0;
		this.restore();
	}

	/** The access token is not valid any more; only a person can get another one. */
	expire(): void {
		this.isExpired = true;
	}

	/** A person has got another token. */
	restore(): void {
		this.isExpired = false;
	}

	async handle(call: Call): Promise<Reply> {
		const given = (name: string) => call.query[name] ?? fieldOf(call, name);
		const bearer = call.headers.authorization?.replace('Bearer ', '');
		if ((given('access_token') || bearer) !== this.accessToken || this.isExpired) {
			const message = 'Error validating access token: Session has expired.';
			return graphError(400, { message, type: 'OAuthException', code: 190, error_subcode: 463 });
		}
		const [, node, edge] = /^(?:\/v\d+\.\d+)?\/(\w+)(?:\/(\w+))?$/.exec(call.path) ?? [];
		if (call.method === 'POST' && node === this.userId) {
			if (edge === 'media') return await this.createContainer(given);
			if (edge === 'media_publish') return this.publish(given('creation_id'));
		}
		const container = this.containers.find(({ id }) => id === node);
		if (call.method === 'GET' && container && !edge) return statusOf(container, given('fields'));
		const reel = this.reels.find(({ id }) => id === node);
		if (call.method === 'GET' && reel && !edge) {
			return reply(200, { permalink: `https://www.instagram.com/reel/${reel.id}/`, id: reel.id });
		}
		return unknownCall(call);
	}

	private async createContainer(given: (name: string) => string): Promise<Reply> {
		if (given('media_type') !== 'REELS' || !given('video_url')) {
			const message = 'The media type must be REELS, with a video_url';
			return graphError(400, { message, type: 'OAuthException', code: 100 });
		}
		const caption = given('caption');
		if (caption.length > CAPTION_LIMIT) {
			const message = `The caption was too long. The maximum is ${CAPTION_LIMIT} characters`;
			return graphError(400, { message, code: 36004, error_subcode: 2207010 });
		}
		const id = `1788900000000${1000 + this.containers.length}`;
		const video = await fetchFile(given('video_url'));
		this.containers.push({ id, caption, video, reads: 0, isPublished: false });
		return reply(200, { id });
	}

	private publish(id: string): Reply {
		const container = this.containers.find((one) => one.id === id);
		if (!container?.video || container.reads <= READS_BEFORE_READY) {
			const error_user_msg = 'The media is not ready for publishing, please wait for a moment';
			const message = 'Media ID is not available';
			return graphError(400, { message, code: 9007, error_subcode: 2207027, error_user_msg });
		}
		if (container.isPublished) {
			const message = 'The requested resource does not exist';
			return graphError(400, { message, code: 24, error_subcode: 2207006 });
		}
		container.isPublished = true;
		const reel = {
			id: `1790000000000${1000 + this.reels.length}`,
			caption: container.caption,
			bytes: container.video,
		};
		this.reels.push(reel);
		return reply(200, { id: reel.id });
	}
}

function statusOf(container: Container, fields: string): Reply {
	container.reads++;
	const { id, video, isPublished, reads } = container;
	const isReady = reads > READS_BEFORE_READY;
	const ended = isPublished ? 'PUBLISHED' : video ? 'FINISHED' : 'ERROR';
	const status_code = isReady ? ended : 'IN_PROGRESS';
	const status =
		status_code === 'ERROR'
			? 'Error: Media upload has failed with error code 2207052'
			: status_code;
	const all: Record<string, string> = { status_code, status };
	const asked = fields.split(',').filter((field) => Object.hasOwn(all, field));
	return reply(200, { ...Object.fromEntries(asked.map((field) => [field, all[field]])), id });
}

/** An error as the Graph API sends it. */
export function graphError(
	status: number,
	error: { message: string; code: number } & Record<string, string | number>,
): Reply {
	return reply(status, {
		error: { type: 'IGApiException', is_transient: false, fbtrace_id: 'AbCdEf', ...error },
	});
}

/** The reply once the profile has published as much as it may in 24 hours. */
export const publishingLimit = (): Reply =>
	graphError(400, {
		message: 'Application request limit reached',
		code: 9,
		error_subcode: 2207042,
		error_user_msg:
			'You reached maximum number of posts that is allowed to be published by Content Publishing API.',
	});
