/** Opens the list of videos of the installed package as its nodes do, and makes the calls that a webhook was sent. */
const { join } = require('node:path');

class VideoList {
	constructor() {
		this.description = {
			displayName: 'Video List',
			name: 'videoList',
			group: ['transform'],
			version: 1,
			description: 'Makes calls of the list of videos',
			defaults: { name: 'Video List' },
			inputs: ['main'],
			outputs: ['main'],
			properties: [],
		};
	}

	async execute() {
		const modules = join(process.env.N8N_USER_FOLDER, '.n8n', 'nodes', 'node_modules');
		const folder = join(modules, 'n8n-nodes-seedance', 'dist', 'nodes', 'shared', 'idempotency');
		const { openDataTableList } = require(join(folder, 'dataTableList.js'));
		const { calls, creates, starts } = this.getInputData()[0].json.body;
		const response = { isOpen: false, rows: [] };
		try {
			const opened = await openDataTableList(this, creates);
			response.isOpen = opened !== undefined;
			response.isNew = opened?.isNew;
			for (const steps of opened ? calls : []) {
				if (starts) opened.list.start(...steps);
				else response.rows.push(await opened.list.run(...steps));
			}
			response.now = opened?.list.now();
		} catch (error) {
			response.error = error.message;
		}
		return [[{ json: response }]];
	}
}

module.exports = { VideoList };
