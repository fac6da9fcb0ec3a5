// What docs/posting.md advises: its nodes are n8n's, the file is fetched again free, and its recipe for TikTok posts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { INode, INodeParameters } from 'n8n-workflow';

import {
	api,
	BY_HAND,
	endOf,
	saveChain,
	seedance,
	startWorkflow,
	videos,
} from '../support/n8n/world.cjs';
import { tiktok } from '../support/networks/world.cjs';
import { bytesOf, paid } from './postingTelegram.cjs';

const DOCUMENT = readFileSync(join(__dirname, '..', '..', 'docs', 'posting.md'), 'utf8');

/** The cells of the table of networks: what each is called, and its node. */
const networks = [...DOCUMENT.matchAll(/^\| \*\*(.+?)\*\*.*? \| (.+?) \|/gm)].map(
	([, network, node]) => ({ network, node }),
);

it('docs/posting.md names nodes that n8n has, and calls without videos those that take none', async () => {
	const types = await api.nodeTypes();
	const names = types.map(({ displayName }) => displayName);
	const named = networks.filter(({ node }) => !node.startsWith('none'));
	expect(named.length).toBeGreaterThan(4);
	const nodes = named.flatMap(({ node }) => node.split(/: |, three/)[0].split(', '));
	expect(nodes.filter((node) => !names.includes(node))).toEqual([]);

	const without = networks.filter(({ node }) => node.startsWith('none'));
	expect(without.map(({ network }) => network)).toEqual(['TikTok', 'LinkedIn', 'X']);
	expect(names.filter((name) => /tiktok/i.test(name))).toEqual([]);
	const takesVideo = (type: string) =>
		/video/i.test(JSON.stringify(types.filter(({ name }) => name === `n8n-nodes-base.${type}`)));
	expect(['youTube', 'telegram', 'linkedIn', 'twitter'].filter(takesVideo)).toEqual([
		'youTube',
		'telegram',
	]);
});

it('docs/posting.md posts to TikTok: the file is fetched again, free, and sent whole', async () => {
	const [, body] = /```json\n([^`]*FILE_UPLOAD[^`]*)```/.exec(DOCUMENT) ?? [];
	const [start, status] = [...DOCUMENT.matchAll(/`(https:\S+(?:video\/init|status\/fetch)\/)`/g)];
	const [, range] = /`Content-Range` = `(.+?)`/.exec(DOCUMENT) ?? [];
	const { id, name } = await api.createCredential({
		name: 'TikTok',
		type: 'httpHeaderAuth',
		data: { name: 'Authorization', value: `Bearer ${tiktok.accessToken}` },
	});
	const call = (title: string, url: string, parameters: INodeParameters, more: Partial<INode>) => ({
		name: title,
		type: 'n8n-nodes-base.httpRequest',
		typeVersion: 4.2,
		parameters: { url, sendBody: true, options: {}, ...parameters },
		...more,
	});
	const signed = {
		authentication: 'genericCredentialType',
		genericAuthType: 'httpHeaderAuth',
		method: 'POST',
		specifyBody: 'json',
	};
	const account = { credentials: { httpHeaderAuth: { id, name } } };
	const headers = { parameters: [{ name: 'Content-Range', value: `=${range}` }] };
	const steps = [
		BY_HAND,
		seedance({ downloadVideo: true, outputBinaryField: 'data' }),
		call('Start', start[1], { ...signed, jsonBody: `=${body}` }, account),
		seedance(
			{
				operation: 'status',
				taskId: '={{ $("Seedance").item.json.task_id }}',
				downloadVideo: true,
			},
			{ name: 'Get Status' },
		),
		call(
			'Send',
			'={{ $("Start").item.json.data.upload_url }}',
			{
				method: 'PUT',
				contentType: 'binaryData',
				inputDataFieldName: 'data',
				sendHeaders: true,
				headerParameters: headers,
			},
			{},
		),
		call(
			'Look',
			status[1],
			{ ...signed, jsonBody: '={{ { publish_id: $("Start").item.json.data.publish_id } }}' },
			account,
		),
	];
	const run = await endOf(await startWorkflow(await saveChain(steps, { rows: ['A boat'] })));
	expect({ status: run.status, error: run.error }).toMatchObject({ status: 'success' });
	const video = await bytesOf(videos.ids()[0]);
	expect([...tiktok.posts.values()]).toMatchObject([{ title: 'Your caption', video }]);
	expect(JSON.stringify(run.runData.Look)).toContain('PUBLISH_COMPLETE');
	expect(paid()).toEqual([8]);
});
