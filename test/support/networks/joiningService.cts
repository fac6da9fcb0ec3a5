/** A service that joins clips: it is given their links, fetches them in that order, and makes one film. It imitates no particular service. */
import { reply, unknownCall, type Call, type Network, type Reply } from './network.cjs';
import { fetchFile } from './remoteFile.cjs';

export class JoiningService implements Network {
	readonly host = 'joining.example';
	readonly url = `https://${this.host}/films`;

	/** The clips of each film, in order. */
	readonly films: Buffer[][] = [];

	serves(host: string): boolean {
		return host === this.host;
	}

	reset(): void {
		this.films.length = 0;
	}

	async handle(call: Call): Promise<Reply> {
		if (call.method !== 'POST' || call.path !== '/films') return unknownCall(call);
		const { videos } = call.json;
		if (!Array.isArray(videos) || !videos.length) return reply(422, { error: 'No videos' });
		const clips = await Promise.all(videos.map(async (link) => await fetchFile(String(link))));
		const there = clips.filter((clip) => clip !== undefined);
		if (there.length < clips.length) return reply(422, { error: 'A video is not there' });
		this.films.push(there);
		return reply(202, { id: this.films.length });
	}
}
