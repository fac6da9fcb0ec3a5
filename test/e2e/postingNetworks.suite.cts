// The networks' stand-ins with n8n's own nodes: a file arrives whole in pieces, a link is fetched, an expired token is renewed,
// and nothing leaves the machine.
import type { INode, INodeParameters } from 'n8n-workflow';

import {
	BY_HAND,
	endOf,
	sandbox,
	saveChain,
	seedance,
	startWorkflow,
	videos,
	type Step,
} from '../support/n8n/world.cjs';
import { fetchFile } from '../support/networks/remoteFile.cjs';
import { accounts, google, proxy, telegram, youtube } from '../support/networks/world.cjs';

const LINK = '={{ $("Seedance").item.json.video_url }}';

/** One of n8n's own nodes, with the credential for its network. */
function nodeOf(type: string, parameters: INodeParameters, more: Partial<INode> = {}): Step {
	const whole = `n8n-nodes-base.${type}`;
	return { name: type, type: whole, parameters, credentials: accounts[whole], ...more };
}

const upload = () =>
	nodeOf('youTube', {
		resource: 'video',
		operation: 'upload',
		title: 'A boat',
		regionCode: 'US',
		categoryId: '22',
		binaryProperty: 'data',
		options: { description: 'On a pond' },
	});

const run = async (...steps: Step[]) =>
	await endOf(await startWorkflow(await saveChain([BY_HAND, ...steps], { rows: ['A boat'] })));

/** The bytes of the only video that the sandbox has made. */
const madeVideo = async () => await fetchFile(`${sandbox.origin}/videos/${videos.ids()[0]}.mp4`);

it('YouTube gets the file in one session, with a token that was renewed; Telegram fetches the link', async () => {
	google.expire();
	const { status, error } = await run(
		seedance({ downloadVideo: true, outputBinaryField: 'data' }),
		upload(),
		nodeOf('telegram', {
			resource: 'message',
			operation: 'sendVideo',
			chatId: telegram.channel,
			file: LINK,
			additionalFields: { caption: 'A boat' },
		}),
	);
	expect({ status, error }).toMatchObject({ status: 'success' });
	const bytes = await madeVideo();
	const text = { title: 'A boat', description: 'On a pond' };
	expect(youtube.videos).toMatchObject([{ ...text, categoryId: '22', bytes }]);
	expect(telegram.messages).toMatchObject([{ text: 'A boat', video: bytes }]);
	expect(proxy.callsTo(/^PUT www\.googleapis\.com/)).toHaveLength(1);
	expect(google.refreshes).toBe(1);
});

it('keeps what is sent to an address that no network has, and lets nothing through', async () => {
	const parameters = { url: 'https://example.com/a?b=c', options: {} };
	const { status } = await run(nodeOf('httpRequest', parameters, { typeVersion: 4.2 }));
	expect(status).toBe('error');
	expect(proxy.strays.splice(0)).toEqual(['GET example.com/a']);
	expect(youtube.videos).toEqual([]);
});
