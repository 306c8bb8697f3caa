import { parse } from './parse.ts';
for (const files of [['/tmp/wide.csv'],['/tmp/wide.csv','/tmp/wide.csv']]) {
const t=performance.now();
const d=await parse({files:files.map(path=>({path,filename:'w'})),format:'CSV',target:'y'});
console.log(d.rowCount,d.columns.length,Math.round(performance.now()-t),'ms',process.memoryUsage().rss/2**20|0, d.findings.length);
}
