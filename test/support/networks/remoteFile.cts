/**
 * How a network fetches a file that it was given a link to: as the world outside would, without any key, but from loopback
 * alone, where the tests have the videos.
 */
import axios from 'axios';

import { HOST } from '../serverProcess.cjs';

/** The bytes behind a link; nothing where there is no file. */
export async function fetchFile(link: string): Promise<Buffer | undefined> {
	if (!URL.canParse(link) || new URL(link).hostname !== HOST) return;
	const { status, data } = await axios.get<Buffer>(link, {
		responseType: 'arraybuffer',
		validateStatus: () => true,
		proxy: false,
	});
	return status === 200 ? data : undefined;
}
