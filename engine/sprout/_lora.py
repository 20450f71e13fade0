import json,sys,time,re,random,torch,yaml
from peft import LoraConfig,get_peft_model
from transformers import AutoModelForCausalLM,AutoTokenizer
folder,char,epochs,lr=sys.argv[1],sys.argv[2],int(sys.argv[3]),float(sys.argv[4])
BS=int(sys.argv[5]) if len(sys.argv)>5 else 8
torch.set_num_threads(2); torch.manual_seed(0); rng=random.Random(0)
card=yaml.safe_load(open(f'data/characters/{char}.yaml'))
p='data/datasets/'+card['dataset']; s=open(p).read()
rows=json.loads(s) if p.endswith('.json') else [json.loads(l) for l in s.splitlines() if l.strip()]
def talk(r):
    if 'messages' in r: m=r['messages']
    elif 'conversations' in r: m=[{'role':{'human':'user','gpt':'assistant','system':'system'}[x['from']],'content':x['value']} for x in r['conversations']]
    else: m=[{'role':'user','content':r['instruction']},{'role':'assistant','content':r['output']}]
    return m if m[0]['role']=='system' else [{'role':'system','content':card['system_prompt']}]+m
tok=AutoTokenizer.from_pretrained(folder); model=AutoModelForCausalLM.from_pretrained(folder,dtype=torch.float32)
data=[]
for r in rows:
    o=tok.apply_chat_template(talk(r),return_dict=True,return_assistant_tokens_mask=True); data.append((o['input_ids'],o['assistant_masks']))
print(len(data),'rows', sum(len(a) for a,_ in data),'tokens')
qs=card['exam']['questions']; marks=[re.compile(m,re.I) for m in card['exam']['markers']]
def ask(system=True):
    tok.padding_side='left'
    ps=[tok.apply_chat_template(([{'role':'system','content':card['system_prompt']}] if system else [])+[{'role':'user','content':q}],tokenize=False,add_generation_prompt=True) for q in qs]
    x=tok(ps,return_tensors='pt',padding=True,add_special_tokens=False,return_token_type_ids=False)
    with torch.inference_mode(): y=model.generate(**x,max_new_tokens=80,do_sample=False)[:,x['input_ids'].shape[1]:]
    return tok.batch_decode(y,skip_special_tokens=True)
def score(a): return sum(any(m.search(t) for m in marks) for t in a)
base=ask(); print('base in character',score(base),'/',len(qs))
for q,a in list(zip(qs,base)): print('   ',q,'->',a)
model=get_peft_model(model,LoraConfig(r=16,lora_alpha=32,target_modules='all-linear',task_type='CAUSAL_LM'))
opt=torch.optim.AdamW([p for p in model.parameters() if p.requires_grad],lr,weight_decay=0.0)
n=epochs*((len(data)+BS-1)//BS); step=0; t=time.time(); tokens=0
model.train()
for e in range(epochs):
    rng.shuffle(data); tot=0; c=0
    for i in range(0,len(data),BS):
        b=data[i:i+BS]; L=max(len(a) for a,_ in b)
        ids=torch.tensor([a+[tok.pad_token_id]*(L-len(a)) for a,_ in b]); lab=torch.tensor([[x if m else -100 for x,m in zip(a,k)]+[-100]*(L-len(a)) for a,k in b])
        att=torch.tensor([[1]*len(a)+[0]*(L-len(a)) for a,_ in b])
        for g in opt.param_groups: g['lr']=lr*min(1,(step+1)/10)*(1-step/n)
        loss=model(input_ids=ids,attention_mask=att,labels=lab).loss; loss.backward(); torch.nn.utils.clip_grad_norm_(model.parameters(),1.0); opt.step(); opt.zero_grad(); step+=1; tot+=loss.item(); c+=1; tokens+=ids.numel()
    print('epoch',e+1,'loss',round(tot/c,3),round(time.time()-t,1),'s',round(tokens/(time.time()-t)),'tok/s',flush=True)
model.eval(); a=ask(); print('tuned in character',score(a),'/',len(qs)); 
for q,x in zip(qs,a): print('   ',q,'->',x)
